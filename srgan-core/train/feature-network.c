/* train: what a feature network sees in a picture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/feature-network.h"

#include <math.h>
#include <string.h>

#include "train/graph.h"
#include "train/random.h"

/* The stream of random numbers for the weights. */
#define FEATURE_STREAM (G_MAXUINT64 - 2)

struct _SrganFeatures {
  SrganGraph *graph;
  gfloat *parameters;
  GArray *layers; /* of guint */
  SrganColour colour;
};

struct _SrganFeaturesState {
  const SrganFeatures *features;
  guint width;
  guint height;
  guint shift_x;
  guint shift_y;
  gfloat *picture; /* [height][width][3]: what the network is shown */
  SrganGraphState *output;
  SrganGraphState *target;
};

/* --- A network with random weights ------------------------------------- */

static gboolean
add_random_conv (SrganNetwork *network, guint in, guint out, guint seed,
    gboolean pool, GError **error)
{
  guint n_layers = srgan_network_get_n_layers (network);
  g_autofree gchar *name = g_strdup_printf ("conv%u", n_layers);
  g_autofree gchar *pool_name = g_strdup_printf ("pool%u", n_layers);
  gsize n = (gsize) 9 * in * out;
  g_autofree gfloat *weight = g_new (gfloat, n);
  SrganRandom random = srgan_random_init (seed, FEATURE_STREAM, n_layers);
  SrganLayer layer = {
      .name = name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {(gint) n_layers - 1}, /* of the first: the network's input */
      .out_channels = out,
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 1,
      .groups = 1,
      .padding = SRGAN_PADDING_ZERO,
      .activation = SRGAN_ACTIVATION_RELU,
      .weight = weight,
  };

  /* Gaussian, of the variance that keeps that of what passes (He 2015) */
  for (gsize i = 0; i < n; i++) {
    gdouble radius = sqrt (-2 * log (1 - srgan_random_unit (&random)));

    weight[i] = (gfloat) (sqrt (2. / (9 * in)) * radius *
                          cos (2 * G_PI * srgan_random_unit (&random)));
  }
  if (srgan_network_add_layer (network, &layer, error) < 0)
    return FALSE;
  if (!pool)
    return TRUE;
  layer = (SrganLayer){
      .name = pool_name,
      .operation = SRGAN_OPERATION_MAX_POOL,
      .n_inputs = 1,
      .inputs = {(gint) n_layers},
      .kernel_width = 2,
      .kernel_height = 2,
      .stride = 2,
      .groups = 1,
  };
  return srgan_network_add_layer (network, &layer, error) >= 0;
}

static SrganNetwork *
make_random_network (guint width, guint seed, GError **error)
{
  const guint channels[] = {
      3, width, width, 2 * width, 2 * width, 4 * width, 4 * width};
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("random-features", SRGAN_COLOUR_RGB, 1);

  for (guint i = 0; i + 1 < G_N_ELEMENTS (channels); i++)
    if (!add_random_conv (network, channels[i], channels[i + 1], seed,
            i % 2 == 1 && i + 2 < G_N_ELEMENTS (channels), error))
      return NULL;
  srgan_network_set_note (network, "ends", "features");
  return srgan_network_finish (network, error) ? g_steal_pointer (&network)
                                               : NULL;
}

/* --- Layers ------------------------------------------------------------ */

static gboolean
find_layers (SrganFeatures *features, SrganNetwork *network,
    const gchar *layers, GError **error)
{
  guint n = srgan_network_get_n_layers (network);
  g_autofree gboolean *taken = g_new0 (gboolean, n);
  const gchar *note = srgan_network_get_note (network, "features");

  if (*layers == '\0' && note != NULL)
    layers = note;
  if (*layers != '\0') {
    g_auto (GStrv) names = g_strsplit (layers, ";", -1);

    for (guint i = 0; names[i] != NULL; i++) {
      gint index = srgan_network_find_layer (network, g_strstrip (names[i]));

      if (index < 0) {
        g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
            "the feature network %s has no layer '%s': srgan-info FILE lists "
            "them",
            srgan_network_get_name (network), names[i]);
        return FALSE;
      }
      taken[index] = TRUE;
    }
  } else {
    for (guint i = 0; i < n; i++) {
      const SrganLayer *layer = srgan_network_get_layer (network, i);

      if (layer->stride > 1 && layer->inputs[0] != SRGAN_INPUT_NETWORK)
        taken[layer->inputs[0]] = TRUE;
    }
    taken[n - 1] = TRUE;
  }
  for (guint i = 0; i < n; i++)
    if (taken[i])
      g_array_append_val (features->layers, i);
  return TRUE;
}

SrganFeatures *
srgan_features_new (SrganNetwork *network, const gchar *layers, guint channels,
    guint seed, SrganColour colour, GError **error)
{
  g_autoptr (SrganFeatures) features = g_new0 (SrganFeatures, 1);
  g_autoptr (SrganNetwork) used =
      network != NULL ? srgan_network_ref (network)
                      : make_random_network (channels, seed, error);

  if (used == NULL)
    return NULL;
  if (srgan_network_get_colour (used) != SRGAN_COLOUR_RGB) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "%s cannot judge pictures: it takes %s, and rgb is needed",
        srgan_network_get_name (used),
        srgan_colour_to_string (srgan_network_get_colour (used)));
    return NULL;
  }
  features->colour = colour;
  features->layers = g_array_new (FALSE, FALSE, sizeof (guint));
  features->graph = srgan_graph_new (used, error);
  if (features->graph == NULL || !find_layers (features, used, layers, error))
    return NULL;
  srgan_graph_want_input_gradient (features->graph);
  features->parameters =
      g_new (gfloat, srgan_graph_get_n_parameters (features->graph));
  srgan_graph_get_parameters (features->graph, features->parameters);
  srgan_graph_set_parameters (features->graph, features->parameters);
  return g_steal_pointer (&features);
}

void
srgan_features_free (SrganFeatures *features)
{
  if (features == NULL)
    return;
  srgan_graph_free (features->graph);
  g_array_unref (features->layers);
  g_free (features->parameters);
  g_free (features);
}

/* --- Comparing --------------------------------------------------------- */

SrganFeaturesState *
srgan_features_state_new (const SrganFeatures *features, guint width,
    guint height, gboolean backward, GError **error)
{
  g_autoptr (SrganFeaturesState) state = g_new0 (SrganFeaturesState, 1);

  state->features = features;
  state->width = width;
  state->height = height;
  state->picture = g_new (gfloat, 3 * (gsize) width * height);
  state->output =
      srgan_graph_state_new (features->graph, width, height, backward);
  state->target = srgan_graph_state_new (features->graph, width, height, FALSE);
  if (state->output == NULL || state->target == NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "the feature network %s cannot be run on pictures of %ux%u: they are "
        "too small for its layers, or memory is out",
        srgan_network_get_name (srgan_graph_get_network (features->graph)),
        width, height);
    return NULL;
  }
  return g_steal_pointer (&state);
}

void
srgan_features_state_free (SrganFeaturesState *state)
{
  if (state == NULL)
    return;
  srgan_graph_state_free (state->output);
  srgan_graph_state_free (state->target);
  g_free (state->picture);
  g_free (state);
}

/* Limited-range luma over 255 to full-range grey: factor and offset. */
#define GREY_FACTOR (255 / 219.f)
#define GREY_OFFSET (-16 / 219.f)

/* Where pixel @x, @y of what the network is shown lies in the picture. */
static gsize
find_pixel (const SrganFeaturesState *state, guint x, guint y)
{
  return (gsize) ((y + state->shift_y) % state->height) * state->width +
         (x + state->shift_x) % state->width;
}

static void
look (SrganFeaturesState *state, SrganGraphState *graph_state,
    const gfloat *picture)
{
  gfloat *to = state->picture;

  for (guint y = 0; y < state->height; y++)
    for (guint x = 0; x < state->width; x++, to += 3) {
      gsize from = find_pixel (state, x, y);

      if (state->features->colour == SRGAN_COLOUR_Y)
        to[0] = to[1] = to[2] = picture[from] * GREY_FACTOR + GREY_OFFSET;
      else
        memcpy (to, picture + 3 * from, 3 * sizeof (gfloat));
    }
  srgan_graph_forward (graph_state, state->picture, NULL);
}

/* Adds the derivative by what was shown, in state->picture, to that by the
 * picture. */
static void
look_back (const SrganFeaturesState *state, gfloat *gradient)
{
  const gfloat *from = state->picture;

  for (guint y = 0; y < state->height; y++)
    for (guint x = 0; x < state->width; x++, from += 3) {
      gsize to = find_pixel (state, x, y);

      if (state->features->colour == SRGAN_COLOUR_Y)
        gradient[to] += GREY_FACTOR * (from[0] + from[1] + from[2]);
      else
        for (guint c = 0; c < 3; c++)
          gradient[3 * to + c] += from[c];
    }
}

void
srgan_features_shift (SrganFeaturesState *state, guint x, guint y)
{
  state->shift_x = x % state->width;
  state->shift_y = y % state->height;
}

/* One layer's loss, less the share of the layers: the squared difference over
 * the target's square. Adds @factor times its derivative to @d. */
static gdouble
compare_energy (
    const SrganMap *a, const SrganMap *b, gfloat factor, const SrganMap *d)
{
  gdouble sum = 0, square = 0;

  for (guint y = 0; y < a->height; y++) {
    const gfloat *p = srgan_map_row (a, y), *q = srgan_map_row (b, y);

    for (guint x = 0; x < a->width; x++, p += a->stride, q += b->stride)
      for (guint c = 0; c < a->channels; c++) {
        sum += (gdouble) (p[c] - q[c]) * (p[c] - q[c]);
        square += (gdouble) q[c] * q[c];
      }
  }
  square += 1e-6 * a->width * a->height * a->channels;
  factor = (gfloat) (2 * factor / square);
  for (guint y = 0; y < a->height; y++) {
    const gfloat *p = srgan_map_row (a, y), *q = srgan_map_row (b, y);
    gfloat *to = srgan_map_row (d, y);

    for (guint x = 0; x < a->width;
         x++, p += a->stride, q += b->stride, to += d->stride)
      for (guint c = 0; c < a->channels; c++)
        to[c] += factor * (p[c] - q[c]);
  }
  return sum / square;
}

/* Likewise, of features scaled to length 1 at each place. A hundredth of the
 * target's mean square is added to each square, so that what is next to nothing
 * at a place is not made much of: its slope would be without bounds. */
static gdouble
compare_directions (
    const SrganMap *a, const SrganMap *b, gfloat factor, const SrganMap *d)
{
  gdouble n = (gdouble) a->width * a->height, sum = 0, floor = 0;

  for (guint y = 0; y < b->height; y++) {
    const gfloat *q = srgan_map_row (b, y);

    for (guint x = 0; x < b->width; x++, q += b->stride)
      for (guint c = 0; c < b->channels; c++)
        floor += (gdouble) q[c] * q[c];
  }
  floor = .01 * floor / n + 1e-6;
  factor = (gfloat) (2 * factor / n);
  for (guint y = 0; y < a->height; y++) {
    const gfloat *p = srgan_map_row (a, y), *q = srgan_map_row (b, y);
    gfloat *to = srgan_map_row (d, y);

    for (guint x = 0; x < a->width;
         x++, p += a->stride, q += b->stride, to += d->stride) {
      gfloat pp = 0, qq = 0, along = 0, apart = 0;

      for (guint c = 0; c < a->channels; c++) {
        pp += p[c] * p[c];
        qq += q[c] * q[c];
      }
      pp = (gfloat) (1 / sqrt (pp + floor));
      qq = (gfloat) (1 / sqrt (qq + floor));
      for (guint c = 0; c < a->channels; c++) {
        gfloat difference = p[c] * pp - q[c] * qq;

        apart += difference * difference;
        along += difference * p[c] * pp;
      }
      sum += apart;
      /* what points along the features goes into their length */
      for (guint c = 0; c < a->channels; c++)
        to[c] += factor * pp * (p[c] * pp - q[c] * qq - along * p[c] * pp);
    }
  }
  return sum / n;
}

gdouble
srgan_features_loss (SrganFeaturesState *state, SrganFeaturesForm form,
    const gfloat *output, const gfloat *target, gfloat weight, gfloat *gradient)
{
  const GArray *layers = state->features->layers;
  gdouble total = 0;

  look (state, state->target, target);
  look (state, state->output, output);
  srgan_graph_start_backward (state->output);
  for (guint i = 0; i < layers->len; i++) {
    guint layer = g_array_index (layers, guint, i);
    const SrganMap *a = srgan_graph_get_value (state->output, layer);
    const SrganMap *b = srgan_graph_get_value (state->target, layer);
    const SrganMap *d = srgan_graph_get_gradient (state->output, layer);

    total += (form == SRGAN_FEATURES_DIRECTION
                  ? compare_directions
                  : compare_energy) (a, b, weight / layers->len, d);
  }
  srgan_graph_run_backward (state->output, NULL);
  srgan_graph_get_input_gradient (state->output, state->picture);
  look_back (state, gradient);
  return total / layers->len;
}

void
srgan_features_set_target (SrganFeaturesState *state, const gfloat *target)
{
  look (state, state->target, target);
}

gdouble
srgan_features_distance (SrganFeaturesState *state, const gfloat *output)
{
  const GArray *layers = state->features->layers;
  gdouble total = 0;

  look (state, state->output, output);
  for (guint i = 0; i < layers->len; i++) {
    guint layer = g_array_index (layers, guint, i);
    const SrganMap *a = srgan_graph_get_value (state->output, layer);
    const SrganMap *b = srgan_graph_get_value (state->target, layer);
    gdouble sum = 0;

    for (guint y = 0; y < a->height; y++) {
      const gfloat *p = srgan_map_row (a, y), *q = srgan_map_row (b, y);

      for (guint x = 0; x < a->width; x++, p += a->stride, q += b->stride) {
        gdouble pp = 0, qq = 0;

        for (guint c = 0; c < a->channels; c++) {
          pp += (gdouble) p[c] * p[c];
          qq += (gdouble) q[c] * q[c];
        }
        pp = 1 / (sqrt (pp) + 1e-10);
        qq = 1 / (sqrt (qq) + 1e-10);
        for (guint c = 0; c < a->channels; c++)
          sum += (p[c] * pp - q[c] * qq) * (p[c] * pp - q[c] * qq);
      }
    }
    total += sum / ((gdouble) a->width * a->height);
  }
  return total;
}
