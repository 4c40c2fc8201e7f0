# Which way does the edge run: none, vertical, horizontal, rising or falling? One convolution is
# enough; its eight filters become edge detectors, which nobody gave it.
# Data: made:edges (fovea train edges --data made:edges).
# Parameters: 2,205, of which 16 are not trained (moving mean and variance).
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D, ReLU

edges = Sequential([
    Input(shape=(32, 32, 1)),
    Conv2D(8, 5),
    BatchNormalization(),
    ReLU(),
    MaxPooling2D(4),
    Flatten(),
    Dense(5, activation="softmax"),
])
