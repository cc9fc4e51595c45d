/* convert: what the functions that build architectures have in common.
 *
 * The first failure is kept in error; whatever is asked for after it does
 * nothing and gives a layer that nobody looks at, so that builders read like
 * the network that they build.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/ends.h"
#include "convert/reader.h"

G_BEGIN_DECLS

typedef struct {
  SrganTensorSet *set;
  const gchar *prefix;    /* of the names that the architecture gives */
  const gchar *file_name; /* or %NULL */
  gchar *name;            /* of the network to be */
  const SrganConvertOptions *options;
  SrganConvertReport *report;

  SrganNetwork *network;
  guint n_channels; /* in and out: 1 or 3 */
  SrganEnd output;
  guint n_norms; /* folded */
  GStringChunk *names;
  GPtrArray *ignored; /* patterns of tensors that no layer needs */
  GError *error;
} SrganBuild;

/**
 * SrganBuildHow:
 *
 * How a convolution goes beyond its weights. Zero it first.
 */
typedef struct {
  SrganActivation activation;
  gfloat low;           /* leaky-relu's slope, clip's bound */
  gfloat high;          /* clip's bound */
  const gchar *slope;   /* prelu: the tensor of the slopes, of one or of all
                           channels; of fewer, each serves those that one channel
                           becomes in a pixel shuffle */
  const gfloat *slopes; /* prelu, spline: the slopes themselves, as SrganLayer
                           has them, instead of @slope */
  const gchar *norm;    /* a batch norm to fold in: NAME.weight, .bias,
                           .running_mean and .running_var */
  gdouble epsilon;      /* of the norm; 0: 1e-5 */
  gdouble gain;         /* what comes out, times this, before the activation;
                           0: 1 */
  guint stride;         /* 0: 1 */
  guint groups;         /* 0: 1 */
  SrganPadding padding;
} SrganBuildHow;

/* @set: (nullable): the tensors; @file_name (nullable) gives the network its
 * name, and perhaps its scale. */
SrganBuild *srgan_build_new (SrganTensorSet *set, const gchar *file_name,
    const SrganConvertOptions *options, SrganConvertReport *report);
void srgan_build_free (SrganBuild *build);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganBuild, srgan_build_free)
/* The finished network, whose last layer for the model is @last; or %NULL with
 * the build's error moved to @error. */
SrganNetwork *srgan_build_finish (SrganBuild *build, gint last, GError **error);

/* A name made as by printf, which lives as long as the build. */
const gchar *srgan_build_name (SrganBuild *build, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);

/* --- Asking the tensors --------------------------------------------------- */

/* Tensor PREFIX + @name, or %NULL. */
SrganNamedTensor *srgan_build_find (SrganBuild *build, const gchar *name);
gboolean srgan_build_has (SrganBuild *build, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);
/* Dimension @index of tensor @name; 0 where it has none. */
guint srgan_build_get_dimension (
    SrganBuild *build, const gchar *name, guint index);
/* How many of @format % 0, 1, ... there are without a gap. */
guint srgan_build_count (SrganBuild *build, const gchar *format, guint first);
/* s with @n == @channels * s * s, or 0. */
guint srgan_build_get_root (guint n, guint channels);
/* A number or text that the file gives beside its tensors ("upscale"), or
 * %NULL. */
const gchar *srgan_build_get_hint (SrganBuild *build, const gchar *name);
/* The scale where weights do not tell: the option's, the file's hints', the
 * file name's ("x2", "2x"), in this order; else sets the error. */
guint srgan_build_guess_scale (SrganBuild *build);

/* --- Building ------------------------------------------------------------- */

/* Starts the network and gives the layer that stands for the model's input.
 * @description: "EDSR, 64 channels, 16 blocks". @end says what values the model
 * takes, and gives unless build->output is set afterwards; options that
 * contradict it win. */
gint srgan_build_start (SrganBuild *build, const gchar *description,
    guint scale, guint n_channels, const SrganEnd *end);
/* 0 .. 1. */
gint srgan_build_start_plain (
    SrganBuild *build, const gchar *description, guint scale, guint n_channels);
/* What the model gives, where it is not what it takes; options win here, too.
 */
void srgan_build_set_output (SrganBuild *build, const SrganEnd *end);
/* Sets the error to what @format says, unless there is one. */
void srgan_build_fail (SrganBuild *build, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);
/* Tensors whose names match PREFIX + @pattern ('*' and '?') are not needed. */
void srgan_build_ignore (SrganBuild *build, const gchar *pattern);

/* The numbers of tensor @name; free with g_free(); %NULL on
 * failure. */
gfloat *srgan_build_get_numbers (SrganBuild *build, const gchar *name);

/* The convolution whose tensors are @name.weight and, if there is one,
 * @name.bias. @how: %NULL for none. */
gint srgan_build_conv (
    SrganBuild *build, gint input, const gchar *name, const SrganBuildHow *how);
/* The same with an activation of no parameters but @low. */
gint srgan_build_conv_with (SrganBuild *build, gint input, const gchar *name,
    SrganActivation activation, gfloat low);
/* A convolution by numbers, which are taken (g_free()); @bias: or %NULL. */
gint srgan_build_conv_of (SrganBuild *build, gint input, const gchar *name,
    guint out, guint in, guint height, guint width, gfloat *weight,
    gfloat *bias, const SrganBuildHow *how);
/* PyTorch's ConvTranspose2d of square kernel with @name.weight
 * [in][out][k][k]: @cut rows and columns go at the left and top and as many as
 * leave stride times the input at the right and below. */
gint srgan_build_transposed_conv (SrganBuild *build, gint input,
    const gchar *name, guint stride, guint cut, const SrganBuildHow *how);
/* @input times @gain plus @offset, a depthwise 1x1 convolution. */
gint srgan_build_scale (SrganBuild *build, gint input, const gchar *name,
    gdouble gain, gdouble offset);
gint srgan_build_shuffle (
    SrganBuild *build, gint input, const gchar *name, guint factor);
gint srgan_build_resize (SrganBuild *build, gint input, const gchar *name,
    guint factor, SrganFilter filter);
gint srgan_build_activation (SrganBuild *build, gint input, const gchar *name,
    SrganActivation activation, gfloat low, gfloat high);
/* add, multiply, concat */
gint srgan_build_join (SrganBuild *build, SrganOperation operation,
    const gchar *name, const gint *inputs, guint n_inputs);
gint srgan_build_add (SrganBuild *build, const gchar *name, gint a, gint b);
gint srgan_build_multiply (
    SrganBuild *build, const gchar *name, gint a, gint b);
/* RCAN's gate by the means of the whole map, through two matrices; IMDN's by
 * means and deviations. */
gint srgan_build_channel_attention (SrganBuild *build, gint map,
    const gchar *name, const gchar *squeeze, const gchar *excite);
gint srgan_build_contrast_attention (SrganBuild *build, gint map,
    const gchar *name, const gchar *squeeze, const gchar *excite);
/* Instance norm, which takes each channel's mean over the whole map away and
 * divides by its deviation. @slope: of a PReLU after it, or %NULL. */
gint srgan_build_instance_norm (
    SrganBuild *build, gint map, const gchar *name, const gchar *slope);
/* Any layer; its name may hold what tensors' names do. */
gint srgan_build_layer (SrganBuild *build, const SrganLayer *layer);
/* Channels of layer @index. */
guint srgan_build_get_channels (SrganBuild *build, gint index);

G_END_DECLS
