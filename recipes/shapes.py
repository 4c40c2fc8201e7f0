# What is the largest shape: circle, square, triangle, star, cross or heart? The maximum over the
# whole picture finds it wherever it is.
# Data: made:shapes (fovea train shapes --data made:shapes).
# Parameters: 25,190, of which 224 are not trained (moving means and variances).
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import (
    BatchNormalization, Conv2D, Dense, GlobalMaxPooling2D, MaxPooling2D, ReLU)

shapes = Sequential([
    Input(shape=(64, 64, 3)),
    Conv2D(16, 5, strides=2, padding="same"),
    BatchNormalization(),
    ReLU(),
    MaxPooling2D(),
    Conv2D(32, 3, padding="same"),
    BatchNormalization(),
    ReLU(),
    MaxPooling2D(),
    Conv2D(64, 3, padding="same"),
    BatchNormalization(),
    ReLU(),
    GlobalMaxPooling2D(),
    Dense(6, activation="softmax"),
])
