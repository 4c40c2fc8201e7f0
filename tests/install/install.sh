#!/usr/bin/env bash
# Installs Fovea into a fresh prefix and builds a consumer on it in each way we promise.
# Arguments: the build folder, the source folder, the version, the C compiler; CFLAGS in the environment.
set -euo pipefail
build=$1 source=$2 version=$3 cc=$4
read -ra flags <<<"${CFLAGS:-}"
work=$build/install-test
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work"

echo "== install"
cmake --install "$build" --prefix "$prefix" >"$work/install.log"
mv "$prefix" "$work/moved" # a prefix may be moved: nothing may hold its path
prefix=$work/moved
pc=$(find "$prefix" -name fovea.pc)
libdir=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=$libdir/pkgconfig
export LD_LIBRARY_PATH=$libdir

echo "== pkg-config, shared"
read -ra fovea <<<"$(pkg-config --cflags --libs "fovea = $version")"
"$cc" "${flags[@]}" "$source/tests/install/consumer.c" "${fovea[@]}" -o "$work/shared"
"$work/shared" "$version"

echo "== pkg-config, static"
read -ra fovea <<<"$(pkg-config --static --cflags --libs fovea | sed "s|-lfovea|$libdir/libfovea.a|")"
"$cc" "${flags[@]}" "$source/tests/install/consumer.c" "${fovea[@]}" -o "$work/static"
env -u LD_LIBRARY_PATH "$work/static" "$version"

echo "== find_package, shared and static"
cmake -S "$source/tests/install" -B "$work/find" -G Ninja -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$prefix" -DFOVEA_VERSION="$version" >"$work/find.log"
cmake --build "$work/find" >>"$work/find.log" || { cat "$work/find.log"; exit 1; }
(cd "$work/find" && ctest --output-on-failure)

echo "== add_subdirectory: no tests, no flags for the parent"
cmake -S "$source/tests/install" -B "$work/part" -G Ninja -DCMAKE_C_COMPILER="$cc" \
    -DFOVEA_SOURCE="$source" >"$work/part.log"

if [ -x "$prefix/bin/fovea" ]; then
    echo "== the installed command finds its library"
    env -u LD_LIBRARY_PATH "$prefix/bin/fovea" version
fi
