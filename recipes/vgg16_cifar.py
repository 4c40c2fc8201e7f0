# VGG-16 for 32x32 colour pictures in ten classes (CIFAR-10): the thirteen 3x3 convolutions and five
# poolings of configuration D, which leave 1x1x512, and one dense layer instead of three.
# Source: Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,
# 2014, table 1.
# Parameters: 14,719,818.
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D

vgg16_cifar = Sequential([
    Input(shape=(32, 32, 3)),
    Conv2D(64, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(64, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    MaxPooling2D(2),
    Conv2D(128, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(128, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    MaxPooling2D(2),
    Conv2D(256, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(256, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(256, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    MaxPooling2D(2),
    Conv2D(512, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(512, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(512, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    MaxPooling2D(2),
    Conv2D(512, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(512, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    Conv2D(512, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
    MaxPooling2D(2),
    Flatten(),
    Dense(10, activation="softmax"),
])
