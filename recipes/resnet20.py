# ResNet-20 for 32x32 colour pictures in ten classes (CIFAR-10): three stages of three blocks with
# 16, 32 and 64 filters. Where the size changes, the shortcut is a 1x1 convolution (option B).
# Source: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015, section 4.2.
# Parameters: 274,042, of which 1,568 are not trained (moving means and variances).
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import (
    Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, ReLU)

image = Input(shape=(32, 32, 3))
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(image)
x = BatchNormalization()(x)
x = ReLU()(x)

# Stage 1: 16 filters, 32x32
shortcut = x
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

shortcut = x
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

shortcut = x
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(16, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

# Stage 2: 32 filters, 16x16
shortcut = Conv2D(32, 1, strides=2, padding="same", use_bias=False,
                  kernel_initializer="he_normal")(x)
shortcut = BatchNormalization()(shortcut)
x = Conv2D(32, 3, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(32, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

shortcut = x
x = Conv2D(32, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(32, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

shortcut = x
x = Conv2D(32, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(32, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

# Stage 3: 64 filters, 8x8
shortcut = Conv2D(64, 1, strides=2, padding="same", use_bias=False,
                  kernel_initializer="he_normal")(x)
shortcut = BatchNormalization()(shortcut)
x = Conv2D(64, 3, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(64, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

shortcut = x
x = Conv2D(64, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(64, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

shortcut = x
x = Conv2D(64, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = ReLU()(x)
x = Conv2D(64, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
x = BatchNormalization()(x)
x = Add()([x, shortcut])
x = ReLU()(x)

x = GlobalAveragePooling2D()(x)
label = Dense(10, activation="softmax", kernel_initializer="he_normal")(x)

resnet20 = Model(inputs=image, outputs=label)
