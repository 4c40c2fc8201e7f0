# The lecture's example in the manner of LeNet-5: digits in 32x32 colour pictures.
# Source: Convolutional Neural Networks, week 1, "CNN Example"; the drawing, 6 filters at first.
# Parameters: 62,006.
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

lenet5_32x32x3 = Sequential([
    Input(shape=(32, 32, 3)),
    Conv2D(6, 5, activation="relu", name="conv1"),
    MaxPooling2D(2, name="pool1"),
    Conv2D(16, 5, activation="relu", name="conv2"),
    MaxPooling2D(2, name="pool2"),
    Flatten(),
    Dense(120, activation="relu", name="fc3"),
    Dense(84, activation="relu", name="fc4"),
    Dense(10, activation="softmax", name="softmax"),
])
