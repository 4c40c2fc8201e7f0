# How many fingers does the hand hold up, 0 to 5? Larger than signs: here any fingers may be up, on
# either hand, seen from either side.
# Data: made:hands (fovea train hands --data made:hands).
# Parameters: 90,342.
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

image = Input(shape=(64, 64, 3))
x = Conv2D(16, 5, strides=2, padding="same", activation="relu")(image)
x = MaxPooling2D(2)(x)
x = Conv2D(32, 3, padding="same", activation="relu")(x)
x = MaxPooling2D(2)(x)
x = Conv2D(64, 3, padding="same", activation="relu")(x)
x = MaxPooling2D(2)(x)
x = Flatten()(x)
x = Dropout(0.3)(x)
x = Dense(64, activation="relu")(x)
number = Dense(6, activation="softmax")(x)

hands = Model(inputs=image, outputs=number)
