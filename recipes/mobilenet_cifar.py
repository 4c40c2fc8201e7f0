# MobileNet for 32x32 colour pictures in ten classes (CIFAR-10): thirteen blocks of a depthwise 3x3
# convolution and a 1x1 that mixes its channels. The first convolution keeps the size, which leaves
# 2x2x1024 where pictures of 224x224 leave 7x7x1024.
# Source: Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
# Applications, 2017, table 1.
# Parameters: 3,239,114, of which 21,888 are not trained (moving means and variances).
from tensorflow.keras import Input, Sequential
from tensorflow.keras.layers import (
    BatchNormalization, Conv2D, Dense, DepthwiseConv2D, GlobalAveragePooling2D, ReLU)

mobilenet_cifar = Sequential([
    Input(shape=(32, 32, 3)),
    Conv2D(32, 3, padding="same", use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 32x32, 64
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(64, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 16x16, 128
    DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(128, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 16x16, 128
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(128, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 8x8, 256
    DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(256, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 8x8, 256
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(256, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 4x4, 512
    DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(512, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 4x4, 512
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(512, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 4x4, 512
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(512, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 4x4, 512
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(512, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 4x4, 512
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(512, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 4x4, 512
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(512, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 2x2, 1024
    DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(1024, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    # 2x2, 1024
    DepthwiseConv2D(3, padding="same", use_bias=False),
    BatchNormalization(),
    ReLU(),
    Conv2D(1024, 1, use_bias=False, kernel_initializer="he_normal"),
    BatchNormalization(),
    ReLU(),

    GlobalAveragePooling2D(),
    Dense(10, activation="softmax"),
])
