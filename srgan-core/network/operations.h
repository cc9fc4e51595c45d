/* network: the operations: what each takes, gives and costs.
 *
 * Everything that differs from one operation to the next is in the table in
 * operations.c: describing, checking, reading and writing of networks go
 * through it. To add an operation: an enumerator in srgan-network.h and a row
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* Beyond these a description is taken for nonsense. */
#define SRGAN_MAX_LAYERS 1024
#define SRGAN_MAX_CHANNELS 16384
#define SRGAN_MAX_KERNEL_SIDE 63
#define SRGAN_MAX_MAP_SCALE 64
#define SRGAN_MAX_LOST 65536
#define SRGAN_MAX_WEIGHTS (1u << 28)

/* A layer's attributes, in the order in which files name them. */
typedef enum {
  SRGAN_ATTRIBUTE_OUT_CHANNELS,
  SRGAN_ATTRIBUTE_KERNEL_WIDTH,
  SRGAN_ATTRIBUTE_KERNEL_HEIGHT,
  SRGAN_ATTRIBUTE_STRIDE,
  SRGAN_ATTRIBUTE_GROUPS,
  SRGAN_ATTRIBUTE_PADDING,
  SRGAN_ATTRIBUTE_CEIL_MODE,
  SRGAN_ATTRIBUTE_FACTOR,
  SRGAN_ATTRIBUTE_FILTER,
  SRGAN_ATTRIBUTE_FIRST,
  SRGAN_ATTRIBUTE_CROP,
  SRGAN_ATTRIBUTE_ACTIVATION,
  SRGAN_ATTRIBUTE_ACTIVATION_LOW,
  SRGAN_ATTRIBUTE_ACTIVATION_HIGH,
  SRGAN_ATTRIBUTE_EPSILON, /* lies in activation_low */
  SRGAN_ATTRIBUTE_OUTPUT_ZERO,
  SRGAN_N_ATTRIBUTES,
} SrganAttribute;

typedef enum {
  SRGAN_ATTRIBUTE_UINT,
  SRGAN_ATTRIBUTE_FLOAT,
  SRGAN_ATTRIBUTE_ENUM,
} SrganAttributeKind;

typedef struct {
  const gchar *name; /* as in files and messages */
  SrganAttributeKind kind;
  gsize offset;     /* in SrganLayer */
  gdouble minimum;  /* of UINT and FLOAT */
  gdouble maximum;  /* of UINT and FLOAT */
  gdouble standard; /* what is meant where it is not given */
  gboolean given;   /* has no standard: must be given */
  guint n_values;   /* of ENUM: 0 .. n_values - 1 */
  const gchar *(*to_string) (guint value);
} SrganAttributeInfo;

typedef enum {
  SRGAN_TENSOR_WEIGHT,
  SRGAN_TENSOR_BIAS,
  SRGAN_TENSOR_SLOPE,
  SRGAN_TENSOR_OUTPUT_STEP,
  SRGAN_TENSOR_WEIGHT_CODE,
  SRGAN_TENSOR_WEIGHT_STEP,
  SRGAN_TENSOR_INT8_BIAS,
  SRGAN_N_TENSORS,
} SrganTensor;

#define SRGAN_TENSOR_MAX_DIMENSIONS 4

typedef struct {
  gboolean required;  /* else it may be absent, if it has any dimension */
  guint n_dimensions; /* 0: the layer has no such tensor */
  guint dimensions[SRGAN_TENSOR_MAX_DIMENSIONS];
} SrganTensorShape;

/* The attribute's row. */
SRGAN_API
const SrganAttributeInfo *srgan_attribute_get_info (SrganAttribute attribute);
/* Whether @layer's operation and activation take it. */
SRGAN_API
gboolean srgan_layer_has_attribute (
    const SrganLayer *layer, SrganAttribute attribute);
SRGAN_API
gdouble srgan_layer_get_attribute (
    const SrganLayer *layer, SrganAttribute attribute);
SRGAN_API
void srgan_layer_set_attribute (
    SrganLayer *layer, SrganAttribute attribute, gdouble value);

/* Fewest and most inputs. */
SRGAN_API
void srgan_operation_get_n_inputs (
    SrganOperation operation, guint *minimum, guint *maximum);

/* Checks @layer's attributes, puts the standard value into those that do not
 * apply and works out in_channels, out_channels, the scale and what is lost
 * from @inputs, the layers (or, for the network's own input, a layer that
 * describes it) that it reads. Weights are not looked at. Errors name the
 * field, not the layer. */
SRGAN_API
gboolean srgan_layer_infer (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error);

/* Of a layer that srgan_layer_infer() has seen. */
SRGAN_API
void srgan_layer_get_tensor_shape (
    const SrganLayer *layer, SrganTensor tensor, SrganTensorShape *shape);
SRGAN_API
guint64 srgan_tensor_shape_get_n (const SrganTensorShape *shape);
/* Whether its numbers are learned ones that a network of fp32 computes with;
 * else they are the same network's for int8. */
SRGAN_API
gboolean srgan_tensor_is_parameter (SrganTensor tensor);
/* "weight", "bias", "slope", ... */
SRGAN_API
const gchar *srgan_tensor_to_string (SrganTensor tensor);
/* The layer's pointer to it. */
SRGAN_API
const gfloat **srgan_layer_get_tensor (SrganLayer *layer, SrganTensor tensor);

/* Of a convolution of a map with @input_step: fills @step, [out_channels], and
 * @code, laid out as the weights, with what it computes with in integers: given
 * or, see #SrganLayer, worked out. */
SRGAN_API
void srgan_layer_quantise_weight (const SrganLayer *layer,
    const gfloat *input_step, gint8 *code, gfloat *step);
/* The other way: fills @weight from weight_code and weight_step. */
SRGAN_API
void srgan_layer_compute_weight (
    const SrganLayer *layer, const gfloat *input_step, gfloat *weight);

/* The factor for what is below 0 in each channel that the kernels fuse, [out];
 * NULL for no activation, or where it is another. (transfer full) */
SRGAN_API
gfloat *srgan_layer_get_slopes (const SrganLayer *layer);

/* Multiply-adds for each pixel of the network's input. */
SRGAN_API
gdouble srgan_layer_get_multiply_adds (const SrganLayer *layer);

/* How many pixels to each side an input map of @layer, which reads @inputs, is
 * read when @reach pixels to each side of its output are; G_MAXUINT: all. */
SRGAN_API
guint srgan_layer_get_reach (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach);

G_END_DECLS
