"""Checks what the compiled library asks for and what it offers, as nm sees it.

    python3 tools/symbols.py NM INCLUDE SHARED_LIBRARY OBJECT...

- Memory, files and text-to-number each go through one file of src/base; some C functions through none.
- Writable data that outlives a call: the error text, the allocation counters, nothing else.
- The shared library exports fv_* only, and all that the headers in INCLUDE declare.
"""
import os
import re
import subprocess
import sys

# Who may refer to these: the named file, and no other file of the library.
CHOKE_POINTS = {
    "memory.c": """malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign
                   strdup strndup asprintf vasprintf getline""",
    "file.c": """open openat creat fopen fdopen freopen fclose fread fwrite read pread write pwrite
                 rename renameat unlink remove fsync fdatasync mkstemp mkdtemp tmpfile ftruncate""",
    "text.c": "strtod strtof strtold strtol strtoul strtoll strtoull atoi atol atof sscanf",
    "": """printf fprintf vprintf vfprintf puts fputs putchar perror sprintf vsprintf strcpy strcat
           gets scanf exit _exit abort getenv setlocale signal sigaction system popen fork execve dlopen
           rand srand random strtok stdout stderr stdin""",
}
# What may change between calls: the error text, the test hook's counters, the number in a temporary's
# name, the lock around libhdf5 (which is not made for threads).
MAY_HOLD_STATE = {"status.c", "memory.c", "file.c", "hdf5.c"}


def nm(tool, *arguments):
    out = subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout
    return [line.split() for line in out.splitlines() if line and not line.endswith(":")]


def source_of(path):
    return os.path.basename(path)[:-2]  # memory.c.o -> memory.c


def plain(symbol):
    """The name in the source: __isoc99_sscanf, __printf_chk and open64 are sscanf, printf, open."""
    symbol = re.sub(r"@.*|64$", "", symbol)
    return re.sub(r"^__isoc\d+_|^__(?=\w+_chk$)|_chk$|_2$", "", symbol)


def check_objects(tool, objects):
    owner = {name: file for file, names in CHOKE_POINTS.items() for name in names.split()}
    for path in objects:
        source = source_of(path)
        for fields in nm(tool, "-u", path):
            name = plain(fields[-1])
            if owner.get(name, source) == source:
                continue
            only = f"only {owner[name]} may" if owner[name] else "nothing in the library may"
            yield f"{source} calls {name}: {only}"


def check_state(tool, objects):
    for path in objects:
        for fields in nm(tool, "--format=sysv", path):
            row = [part.strip() for part in " ".join(fields).split("|")]
            if len(row) < 7 or not re.match(r"\.t?(bss|data)(?!\.rel\.ro)", row[6]):
                continue
            name, source = row[0], source_of(path)
            if source not in MAY_HOLD_STATE and not name.startswith("__"):  # __: a sanitizer's
                yield f"{source} holds {name} between calls: the library has no writable globals"


def check_exports(tool, include, library):
    exported = {fields[-1].split("@")[0] for fields in nm(tool, "-D", "--defined-only", library)}
    for name in sorted(exported):
        if not name.startswith("fv_"):
            yield f"the shared library exports {name}; it should export fv_* only"
    for header in sorted(os.listdir(include)):
        with open(os.path.join(include, header), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        for name in re.findall(r"\bFV_API\b[^;{]*?\b(fv_\w+)\s*\(", text):
            if name not in exported:
                yield f"{header} declares {name}, but the shared library does not export it"


def main(argv):
    tool, include, library, objects = argv[1], argv[2], argv[3], argv[4:]
    problems = [*check_objects(tool, objects), *check_state(tool, objects),
                *check_exports(tool, include, library)]
    print("\n".join(problems) or f"symbols: {len(objects)} objects and the shared library hold the rules")
    return problems != []


if __name__ == "__main__":
    sys.exit(main(sys.argv))
