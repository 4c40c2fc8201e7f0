# The lecture's simple network: sizes 39, 37, 17, 7, then 1,960 numbers and a logistic unit.
# Source: Convolutional Neural Networks, week 1, "Simple Convolutional Network Example".
# Parameters: 27,301; the convolutions have 280, 5,020 and 20,040.
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten

convnet_39x39x3 = Sequential([
    Input(shape=(39, 39, 3)),
    Conv2D(10, 3, strides=1, activation="relu"),
    Conv2D(20, 5, strides=2, activation="relu"),
    Conv2D(40, 5, strides=2, activation="relu"),
    Flatten(),
    Dense(1, activation="sigmoid"),
])
