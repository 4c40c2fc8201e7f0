# Is the person in the picture smiling? One unit, 0 to 1.
# Source: Convolutional Neural Networks, week 1, the happyModel of the Application assignment.
# Parameters: 37,633, of which 64 are not trained (moving mean and variance).
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import (
    BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D, ReLU, ZeroPadding2D)

happy = Sequential([
    Input(shape=(64, 64, 3)),
    ZeroPadding2D(3),
    Conv2D(32, 7),
    BatchNormalization(),
    ReLU(),
    MaxPooling2D(),
    Flatten(),
    Dense(1, activation="sigmoid"),
])
