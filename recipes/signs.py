# Which of the numbers 0 to 5 does the hand show?
# Source: Convolutional Neural Networks, week 1, the Application assignment's
# convolutional_model.
# Parameters: 1,310.
from tensorflow.keras import Input, Model
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, ReLU

image = Input(shape=(64, 64, 3))
x = Conv2D(8, 4, padding="same")(image)
x = ReLU()(x)
x = MaxPooling2D(8, padding="same")(x)
x = Conv2D(16, 2, padding="same")(x)
x = ReLU()(x)
x = MaxPooling2D(4, padding="same")(x)
x = Flatten()(x)
number = Dense(6, activation="softmax")(x)

signs = Model(inputs=image, outputs=number)
