#!/usr/bin/env bash
# A set of 4 GB is trained on in less than 300 MB: an array in a file, and one that is drawn. The file is
# sparse, so it takes no room; training is stopped after a few seconds, memory would have grown by then.
set -u
fovea=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
command -v python3 >/dev/null || { echo "skipped: no python3 to make the file"; exit 77; }

python3 - "$fovea" <<'P'
import os, resource, signal, struct, subprocess, sys, time

LIMIT_MB = 300
N, SIDE = 21000, 256  # 21,000 pictures of 256x256x3 bytes: 4.1 GB


def npy(path, shape, size, data=None):
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }" % (shape,)
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        if data is None:
            file.truncate(file.tell() + size)
        else:
            file.write(data)


os.mkdir("set")
npy("set/x_train.npy", (N, SIDE, SIDE, 3), N * SIDE * SIDE * 3)
npy("set/y_train.npy", (N,), N, bytes(i % 4 for i in range(N)))
with open("little.py", "w") as file:
    file.write("""from tensorflow.keras import Sequential
from tensorflow.keras.layers import Input, Conv2D, MaxPooling2D, Flatten, Dense
model = Sequential([Input(shape=(256, 256, 3)), MaxPooling2D(16), Conv2D(4, 4, strides=4),
                    Flatten(), Dense(10, activation="softmax")])
""")


def peak(data, *options):
    """Most memory that training takes within a few seconds, in MB, with the exit code."""
    child = subprocess.Popen([sys.argv[1], "train", "little.py", "--data", data, "--epochs", "100",
                              "--out", "m.safetensors", "--force", *options])
    most = 0
    for _ in range(60):
        time.sleep(0.05)
        with open(f"/proc/{child.pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    most = int(line.split()[1]) // 1024
    child.send_signal(signal.SIGINT)
    return most, child.wait()


bad = False
for data, options in (("set", []), ("made:digits", ["--count", "21000"])):
    most, code = peak(data, *options)
    print(f"{data}: {most} MB at most, exit {code}")
    bad = bad or most > LIMIT_MB or most < 5 or code != 130
    if not os.path.exists("m.safetensors"):
        print("no model was saved")
        bad = True
    os.remove("m.safetensors")

# Ctrl-C on a terminal reaches the process that serves an HDF5 file as well; training ends as ever.
made = subprocess.run([sys.argv[1], "data", "convert", "made:digits", "digits.h5", "--count", "4000"],
                      capture_output=True, text=True)
if "built without" in made.stderr:
    print("skipped: an HDF5 file, built without it")
else:
    child = subprocess.Popen([sys.argv[1], "train", "lenet5", "--data", "digits.h5", "--memory", "1",
                              "--epochs", "1000", "--out", "h5.safetensors"], start_new_session=True)
    time.sleep(2)
    os.killpg(child.pid, signal.SIGINT)
    code = child.wait()
    print(f"digits.h5, stopped with its reader: exit {code}")
    bad = bad or code != 130 or not os.path.exists("h5.safetensors")
sys.exit(bad)
P
