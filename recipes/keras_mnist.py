# Handwritten digits, 28x28 grey (MNIST): the small network of many a first program with Keras.
# Source: F. Chollet, Simple MNIST convnet, Keras code examples, 2015; without its dropout.
# Parameters: 34,826.
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

keras_mnist = Sequential([
    Input(shape=(28, 28, 1)),
    Conv2D(32, 3, activation="relu"),
    MaxPooling2D(2),
    Conv2D(64, 3, activation="relu"),
    MaxPooling2D(2),
    Flatten(),
    Dense(10, activation="softmax"),
])
