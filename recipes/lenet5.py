# Handwritten digits, 28x28 grey (MNIST). The sizes of LeNet-5 with today's layers: ReLU, maximum
# pooling, softmax; padding "same" at the beginning makes up for the 32x32 pictures of the original.
# Source: LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition,
# 1998; in the form of Convolutional Neural Networks, week 1.
# Parameters: 61,706.
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

lenet5 = Sequential([
    Input(shape=(28, 28, 1)),
    Conv2D(6, 5, padding="same", activation="relu"),
    MaxPooling2D(2),
    Conv2D(16, 5, activation="relu"),
    MaxPooling2D(2),
    Flatten(),
    Dense(120, activation="relu"),
    Dense(84, activation="relu"),
    Dense(10, activation="softmax"),
])
