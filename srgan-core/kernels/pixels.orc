# 8-bit samples to float and back, contiguous: what kernels.h says of load_row
# and store_row.

.function srgan_pixels_load
.dest 4 output float
.source 1 input guint8
.floatparam 4 scale
.floatparam 4 offset
.temp 2 word
.temp 4 value

convubw word, input
convuwl value, word
convlf value, value
mulf value, value, scale
addf output, value, offset


# NaN is not equal to itself: the mask makes it 0. Conversion truncates, hence
# 0.5 (0x3f000000), and saturates, as the two narrowings do: that is the clamp.
.function srgan_pixels_store
.dest 1 output guint8
.source 4 input float
.floatparam 4 scale
.floatparam 4 offset
.temp 4 value
.temp 4 number
.temp 2 word

mulf value, input, scale
addf value, value, offset
cmpeqf number, value, value
andl value, value, number
addf value, value, 0x3f000000
convfl value, value
convssslw word, value
convsuswb output, word
