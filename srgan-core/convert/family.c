/* convert: what kind of network a graph turned out to be.
 *
 * A file with a graph needs no name for its network, its reader would like to
 * see one all the same. To add a family: a function that knows it from counts
 * of layers, and a row in the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/family.h"

/* What a family is known by. Convolutions are those of features: neither of
 * single channels by themselves nor those that only change values at the
 * ends. */
typedef struct {
  guint scale;
  guint n_convs;
  guint first, second, last; /* kernels' sides */
  guint width;               /* channels of most convolutions */
  guint first_width, second_width;
  guint n_large; /* kernels of more than one pixel */
  guint n_depthwise;
  guint n_strided;
  guint n_valid; /* without padding */
  guint n_input; /* convolutions that read the picture */
  guint n_deconvs;
  guint deconv;  /* its kernel's side */
  guint n_adds;  /* of maps; */
  guint n_outer; /* of the enlarged picture */
  guint n_gates; /* products */
  guint n_concats;
  guint n_slices;
  guint n_means;
  guint n_pools;
  guint n_shuffles;
  guint n_enlarged; /* resize, but of the picture itself */
  guint n_relu, n_leaky, n_prelu;
} Features;

typedef struct {
  const gchar *name;
  gboolean (*match) (const Features *f);
  gboolean shrinks; /* the first two convolutions' channels are its name */
} Family;

static gboolean
is_cunet (const Features *f)
{
  return f->n_deconvs >= 2 && f->n_means >= 2 && f->n_strided >= 1;
}

static gboolean
is_upconv (const Features *f)
{
  return f->n_deconvs == 1 && f->deconv == 4 && f->n_adds == 0 &&
         f->n_leaky >= 5 && f->n_convs >= 5;
}

static gboolean
is_vgg (const Features *f)
{
  return f->scale == 1 && f->n_adds == 0 && f->n_concats == 0 &&
         f->n_leaky + 1 == f->n_convs && f->n_convs >= 5;
}

static gboolean
is_rcan (const Features *f)
{
  return f->n_means >= 2 && f->n_gates >= 2 && f->n_concats == 0;
}

static gboolean
is_imdn (const Features *f)
{
  return f->n_means >= 2 && f->n_gates >= 2 && f->n_slices >= 2;
}

static gboolean
is_rfdn (const Features *f)
{
  return f->n_pools >= 2 && f->n_gates >= 2 && f->n_concats > 1;
}

static gboolean
is_rlfn (const Features *f)
{
  return f->n_pools >= 2 && f->n_gates >= 2;
}

static gboolean
is_span (const Features *f)
{
  return f->n_gates >= 2 && f->n_pools == 0 && f->n_means == 0 &&
         f->n_concats >= 1 && f->n_concats <= 2;
}

static gboolean
is_dense (const Features *f)
{
  return f->n_concats >= 2 && f->n_adds >= 2 && f->n_gates == 0 &&
         f->n_pools == 0;
}

static gboolean
is_fast_srgan (const Features *f)
{
  return f->n_depthwise >= 2 && f->n_adds >= 2;
}

static gboolean
is_srresnet (const Features *f)
{
  return f->first == 9 && f->n_adds >= 3 && f->n_concats == 0;
}

static gboolean
is_msrresnet (const Features *f)
{
  return f->n_adds >= 2 && f->n_outer == 1 && f->n_leaky > 0 &&
         f->n_concats == 0;
}

static gboolean
is_edsr (const Features *f)
{
  return f->first == 3 && f->n_adds >= 3 && f->n_gates == 0 &&
         f->n_concats == 0 && f->n_relu >= 2;
}

static gboolean
is_lapsrn (const Features *f)
{
  return f->n_leaky >= 5 && f->n_adds >= 1 && f->n_adds <= 2 &&
         f->n_concats == 0 && f->n_input + f->n_deconvs >= 2;
}

static gboolean
is_fsrcnn (const Features *f)
{
  return f->first == 5 && f->second == 1 && f->n_convs >= 4 && f->n_adds == 0 &&
         f->n_deconvs + f->n_shuffles >= 1;
}

static gboolean
is_espcn (const Features *f)
{
  return f->first == 5 && f->n_convs >= 3 && f->n_convs <= 5 &&
         f->n_large == f->n_convs && f->n_shuffles == 1 && f->n_adds == 0 &&
         f->n_concats == 0;
}

static gboolean
is_srcnn (const Features *f)
{
  return f->scale == 1 && f->first == 9 && f->n_convs >= 3 && f->n_convs <= 4 &&
         f->n_adds == 0;
}

/* 3x3 convolutions one after the other, then a shuffle, and the picture */
static gboolean
is_chain (const Features *f)
{
  return f->first == 3 && f->n_large == f->n_convs && f->n_convs >= 4 &&
         f->n_gates == 0 && f->n_concats == 0 && f->n_shuffles == 1 &&
         f->n_adds == 0;
}

static gboolean
is_compact (const Features *f)
{
  return is_chain (f) && f->n_outer == 1 && f->n_prelu + f->n_leaky >= 2;
}

static gboolean
is_anchor (const Features *f)
{
  return is_chain (f) && f->n_outer == 1 && f->n_relu >= 2;
}

static gboolean
is_vdsr (const Features *f)
{
  return f->scale == 1 && f->first == 3 && f->n_large == f->n_convs &&
         f->n_convs >= 4 && f->n_adds <= 1 && f->n_concats == 0 &&
         f->n_relu + 1 >= f->n_convs;
}

static gboolean
is_plain (const Features *f)
{
  return f->n_adds == 0 && f->n_concats == 0 && f->n_gates == 0;
}

static gboolean
is_residual (const Features *f)
{
  return f->n_concats == 0 && f->n_gates == 0;
}

static gboolean
is_any (const Features *f)
{
  return f->n_convs + f->n_deconvs > 0;
}

/* The first that fits counts. */
static const Family families[] = {
    {"waifu2x cunet", is_cunet},
    {"waifu2x upconv_7", is_upconv},
    {"waifu2x vgg7", is_vgg},
    {"IMDN", is_imdn},
    {"RFDN", is_rfdn},
    {"RLFN", is_rlfn},
    {"RCAN", is_rcan},
    {"SPAN", is_span},
    {"Fast-SRGAN", is_fast_srgan},
    {"RRDBNet/ESRGAN", is_dense},
    {"SRResNet", is_srresnet},
    {"MSRResNet", is_msrresnet},
    {"LapSRN", is_lapsrn},
    {"EDSR", is_edsr},
    {"FSRCNN", is_fsrcnn, TRUE},
    {"ESPCN", is_espcn},
    {"SRCNN", is_srcnn},
    {"SRVGGNetCompact", is_compact},
    {"ABPN/base7", is_anchor},
    {"VDSR/DnCNN", is_vdsr},
    {"plain convolutions", is_plain},
    {"residual convolutions", is_residual},
    {"convolutions", is_any},
};

/* Whether a layer is the picture, or that enlarged. */
static gboolean
is_picture (SrganNetwork *network, gint index)
{
  const SrganLayer *layer;

  if (index == SRGAN_INPUT_NETWORK)
    return TRUE;
  layer = srgan_network_get_layer (network, (guint) index);
  return layer->operation == SRGAN_OPERATION_RESIZE && layer->n_inputs == 1 &&
         is_picture (network, layer->inputs[0]);
}

static void
add_conv (
    Features *f, const SrganLayer *layer, guint n_colours, GHashTable *widths)
{
  guint side = MAX (layer->kernel_width, layer->kernel_height);
  guint groups = MAX (layer->groups, 1);
  gpointer key = GUINT_TO_POINTER (layer->out_channels);

  if (groups > 1 || (side == 1 && layer->in_channels <= n_colours &&
                        layer->out_channels <= n_colours)) {
    f->n_depthwise += groups > n_colours;
    return;
  }
  f->n_convs++;
  if (f->n_convs == 1) {
    f->first = side;
    f->first_width = layer->out_channels;
  }
  if (f->n_convs == 2) {
    f->second = side;
    f->second_width = layer->out_channels;
  }
  f->last = side;
  f->n_large += side > 1;
  f->n_strided += layer->stride > 1;
  f->n_valid += layer->padding == SRGAN_PADDING_NONE;
  f->n_input += layer->inputs[0] == SRGAN_INPUT_NETWORK;
  g_hash_table_insert (widths, key,
      GUINT_TO_POINTER (
          GPOINTER_TO_UINT (g_hash_table_lookup (widths, key)) + 1));
}

static void
count_activation (Features *f, SrganActivation activation)
{
  f->n_relu += activation == SRGAN_ACTIVATION_RELU;
  f->n_leaky += activation == SRGAN_ACTIVATION_LEAKY_RELU;
  f->n_prelu += activation == SRGAN_ACTIVATION_PRELU;
}

static void
count_layer (
    Features *f, SrganNetwork *network, guint index, GHashTable *widths)
{
  const SrganLayer *layer = srgan_network_get_layer (network, index);
  guint n_colours =
      srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;

  count_activation (f, layer->activation);
  switch (layer->operation) {
  case SRGAN_OPERATION_CONV:
    add_conv (f, layer, n_colours, widths);
    break;
  case SRGAN_OPERATION_TRANSPOSED_CONV:
    f->n_deconvs++;
    f->deconv = MAX (layer->kernel_width, layer->kernel_height);
    break;
  case SRGAN_OPERATION_ADD:
    if (is_picture (network, layer->inputs[0]) ||
        is_picture (network, layer->inputs[layer->n_inputs - 1]))
      f->n_outer++;
    else
      f->n_adds++;
    break;
  case SRGAN_OPERATION_MULTIPLY:
    f->n_gates++;
    break;
  case SRGAN_OPERATION_CONCAT:
    f->n_concats++;
    break;
  case SRGAN_OPERATION_SLICE:
    f->n_slices++;
    break;
  case SRGAN_OPERATION_GLOBAL_MEAN:
    f->n_means++;
    break;
  case SRGAN_OPERATION_MAX_POOL:
    f->n_pools++;
    break;
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
    f->n_shuffles++;
    break;
  case SRGAN_OPERATION_RESIZE:
    f->n_enlarged += !is_picture (network, layer->inputs[0]);
    break;
  default:
    break;
  }
}

gchar *
srgan_family_describe (SrganNetwork *network, const gchar *name)
{
  g_autoptr (GHashTable) widths = g_hash_table_new (NULL, NULL);
  Features features = {.scale = srgan_network_get_scale (network)};
  GHashTableIter iter;
  gpointer width, count;
  guint most = 0;

  for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
    count_layer (&features, network, i, widths);
  g_hash_table_iter_init (&iter, widths);
  while (g_hash_table_iter_next (&iter, &width, &count))
    if (GPOINTER_TO_UINT (count) > most ||
        (GPOINTER_TO_UINT (count) == most &&
            GPOINTER_TO_UINT (width) > features.width)) {
      most = GPOINTER_TO_UINT (count);
      features.width = GPOINTER_TO_UINT (width);
    }
  for (guint i = 0; i < G_N_ELEMENTS (families) && name == NULL; i++)
    if (families[i].match (&features)) {
      name = families[i].name;
      if (families[i].shrinks)
        return g_strdup_printf ("%s, %u and %u channels, %u convolutions", name,
            features.first_width, features.second_width,
            features.n_convs + features.n_deconvs);
    }
  if (name == NULL)
    return g_strdup ("no convolutions");
  return g_strdup_printf ("%s, %u channels, %u convolutions", name,
      features.width, features.n_convs + features.n_deconvs);
}
