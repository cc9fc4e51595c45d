/* convert: networks made ready for int8: steps, zeros, codes and biases that
 * lose least on pictures like those to come.
 *
 * Each channel of a map that convolutions alone read gets a step of its own, so
 * that all of its bytes are used (the equalisation of Nagel et al. 2019, in the
 * steps rather than in the weights), from a range that is searched by the error
 * of the network's output; steps of weights are those of least squared error;
 * the mean of what rounding the weights changes is taken back from the bias.
 *
 * SPDX-License-Identifier: MIT
 */
#include <srgan/srgan-convert.h>

#include <math.h>
#include <srgan/srgan-engine.h>
#include <string.h>

#include "network/operations.h"

/* Of the range that was seen: what is clipped is rare, what is left finer. */
static const gdouble clips[] = {1., .9, .8, .7, .6, .5};
static const guint zeros[] = {16, 32, 48, 64, 80, 96, 112, 128};

/* What a layer's map was seen to hold. */
typedef struct {
  gdouble *lowest; /* [out] */
  gdouble *highest;
  gdouble *mean;
  gdouble n;
  gdouble clip;
} Seen;

typedef struct {
  SrganNetwork *network;
  const SrganCalibration *samples;
  guint n_samples;
  gfloat **wanted; /* what fp32 gives for each sample */
  Seen *seen;      /* one a layer */
} Work;

static gboolean
refuse (GError **error, SrganError code, const gchar *what, const gchar *name)
{
  g_set_error (error, SRGAN_ERROR, (gint) code, "%s \"%s\"", what, name);
  return FALSE;
}

/* --- The network in floats ----------------------------------------------- */

/* Planar: [channel][y][x]. */
typedef struct {
  guint channels, width, height;
  gfloat *values;
} Plane;

static void
plane_alloc (Plane *plane, guint channels, guint width, guint height)
{
  *plane = (Plane){channels, width, height,
      g_new0 (gfloat, (gsize) channels * width * height)};
}

static void
run_conv (const SrganLayer *layer, const Plane *in, Plane *out)
{
  const gint width = (gint) in->width, height = (gint) in->height;
  const gsize area = (gsize) in->width * in->height;
  const gfloat *weight = layer->weight;
  guint o, i;
  gint ky, kx, y, x;

  plane_alloc (out, layer->out_channels, in->width, in->height);
  for (o = 0; o < layer->out_channels; o++)
    for (i = 0; i < layer->in_channels; i++)
      for (ky = 0; ky < (gint) layer->kernel_height; ky++)
        for (kx = 0; kx < (gint) layer->kernel_width; kx++, weight++) {
          const gint dy = ky - (gint) (layer->kernel_height - 1) / 2;
          const gint dx = kx - (gint) (layer->kernel_width - 1) / 2;
          const gint first = MAX (0, -dx), end = MIN (width, width - dx);

          for (y = MAX (0, -dy); y < MIN (height, height - dy); y++) {
            gfloat *to = out->values + o * area + (gsize) y * in->width;
            const gfloat *from =
                in->values + i * area + (gsize) (y + dy) * in->width + dx;

            for (x = first; x < end; x++)
              to[x] += *weight * from[x];
          }
        }
  for (o = 0; o < layer->out_channels && layer->bias; o++)
    for (i = 0; i < area; i++)
      out->values[o * area + i] += layer->bias[o];
}

static void
activate (const SrganLayer *layer, Plane *plane)
{
  const gsize area = (gsize) plane->width * plane->height;
  guint c;
  gsize i;

  for (c = 0; c < plane->channels; c++) {
    gfloat slope = layer->activation == SRGAN_ACTIVATION_NONE   ? 1.f
                   : layer->activation == SRGAN_ACTIVATION_RELU ? 0.f
                   : layer->activation == SRGAN_ACTIVATION_PRELU
                       ? layer->slope[c]
                       : layer->activation_low;

    for (i = c * area; i < (c + 1) * area; i++)
      if (plane->values[i] < 0)
        plane->values[i] *= slope;
  }
}

static void
note_range (Seen *seen, const Plane *plane)
{
  const gsize area = (gsize) plane->width * plane->height;
  guint c;
  gsize i;

  for (c = 0; c < plane->channels; c++)
    for (i = c * area; i < (c + 1) * area; i++) {
      seen->lowest[c] = MIN (seen->lowest[c], plane->values[i]);
      seen->highest[c] = MAX (seen->highest[c], plane->values[i]);
      seen->mean[c] += plane->values[i];
    }
  seen->n += (gdouble) area;
}

/* Depth to space. */
static void
run_pixel_shuffle (const SrganLayer *layer, const Plane *in, Plane *out)
{
  const guint factor = layer->factor;
  guint c, y, x;

  plane_alloc (
      out, layer->out_channels, in->width * factor, in->height * factor);
  for (c = 0; c < in->channels; c++)
    for (y = 0; y < in->height; y++)
      for (x = 0; x < in->width; x++) {
        const guint to = c / (factor * factor), phase = c % (factor * factor);

        out->values[((gsize) to * out->height + y * factor + phase / factor) *
                        out->width +
                    x * factor + phase % factor] =
            in->values[((gsize) c * in->height + y) * in->width + x];
      }
}

/* Convolutions to so few channels are faster in floats, unless their input has
 * codes anyway: it is not given any for their sake. */
#define FEW_CHANNELS 4

static gboolean
is_quantised (SrganNetwork *network, guint index)
{
  const SrganOperation operation =
      srgan_network_get_layer (network, index)->operation;
  gboolean is_read = FALSE;

  if (operation != SRGAN_OPERATION_CONV && operation != SRGAN_OPERATION_ADD &&
      operation != SRGAN_OPERATION_PIXEL_SHUFFLE)
    return FALSE;
  for (guint i = index + 1; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *reader = srgan_network_get_layer (network, i);

    for (guint j = 0; j < reader->n_inputs; j++)
      if (reader->inputs[j] == (gint) index &&
          reader->operation == SRGAN_OPERATION_CONV)
        is_read = is_read || operation != SRGAN_OPERATION_PIXEL_SHUFFLE ||
                  reader->out_channels > FEW_CHANNELS;
  }
  return is_read;
}

static gboolean
is_read_otherwise (SrganNetwork *network, guint index)
{
  for (guint i = index + 1; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *reader = srgan_network_get_layer (network, i);

    for (guint j = 0; j < reader->n_inputs; j++)
      if (reader->inputs[j] == (gint) index &&
          reader->operation != SRGAN_OPERATION_CONV)
        return TRUE;
  }
  return FALSE;
}

/* Runs the layers up to the last whose map is quantised. */
static void
observe (Work *work, const SrganCalibration *sample)
{
  const guint n_layers = srgan_network_get_n_layers (work->network);
  g_autofree Plane *planes = g_new0 (Plane, n_layers);
  const Plane input = {
      srgan_network_get_colour (work->network) == SRGAN_COLOUR_Y ? 1 : 3,
      sample->width, sample->height, (gfloat *) sample->input};

  for (guint i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (work->network, i);
    const Plane *in = layer->inputs[0] == SRGAN_INPUT_NETWORK
                          ? &input
                          : &planes[layer->inputs[0]];

    if (!in->values)
      continue; /* behind what is looked at */
    if (layer->operation == SRGAN_OPERATION_CONV) {
      run_conv (layer, in, &planes[i]);
    } else if (layer->operation == SRGAN_OPERATION_ADD) {
      const Plane *other = layer->inputs[1] == SRGAN_INPUT_NETWORK
                               ? &input
                               : &planes[layer->inputs[1]];
      gsize n = (gsize) in->channels * in->width * in->height;

      if (!other->values || layer->n_inputs != 2)
        continue;
      plane_alloc (&planes[i], in->channels, in->width, in->height);
      for (gsize k = 0; k < n; k++)
        planes[i].values[k] = in->values[k] + other->values[k];
    } else if (layer->operation == SRGAN_OPERATION_PIXEL_SHUFFLE) {
      run_pixel_shuffle (layer, in, &planes[i]);
    } else {
      continue;
    }
    activate (layer, &planes[i]);
    if (work->seen[i].lowest)
      note_range (&work->seen[i], &planes[i]);
  }
  for (guint i = 0; i < n_layers; i++)
    g_free (planes[i].values);
}

/* What can be followed so: a chain of convolutions, sums and pixel shuffles on
 * the way, whatever behind the last of them. */
static gboolean
check_network (SrganNetwork *network, GError **error)
{
  guint last = 0;

  for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
    if (is_quantised (network, i))
      last = i;
  for (guint i = 0; i <= last; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    gboolean is_leaky = layer->activation == SRGAN_ACTIVATION_NONE ||
                        layer->activation == SRGAN_ACTIVATION_RELU ||
                        layer->activation == SRGAN_ACTIVATION_LEAKY_RELU ||
                        layer->activation == SRGAN_ACTIVATION_PRELU;

    if (layer->operation == SRGAN_OPERATION_ADD && layer->n_inputs == 2 &&
        is_leaky)
      continue;
    if (layer->operation == SRGAN_OPERATION_PIXEL_SHUFFLE && is_leaky)
      continue;
    if (layer->operation == SRGAN_OPERATION_RESIZE)
      continue; /* the skip: nothing quantised reads it, or it is refused */
    if (layer->operation != SRGAN_OPERATION_CONV || layer->stride != 1 ||
        layer->groups != 1 || layer->padding != SRGAN_PADDING_ZERO || !is_leaky)
      return refuse (error, SRGAN_ERROR_UNSUPPORTED,
          "int8: calibration knows convolutions of stride 1 with leaky "
          "activations, sums and pixel shuffle; not the layer",
          layer->name);
  }
  if (last == 0 && !is_quantised (network, 0))
    return refuse (error, SRGAN_ERROR_UNSUPPORTED,
        "int8: no convolution reads another's map in the network",
        srgan_network_get_name (network));
  return TRUE;
}

/* --- Steps and codes ------------------------------------------------------ */

/* How much a step of channel @c of layer @index matters: the energy of the
 * weights that read it. */
static gdouble
get_energy (SrganNetwork *network, guint index, guint c)
{
  gdouble energy = 0;

  for (guint i = index + 1; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    const guint area = layer->kernel_width * layer->kernel_height;

    if (layer->operation != SRGAN_OPERATION_CONV ||
        layer->inputs[0] != (gint) index)
      continue;
    for (guint o = 0; o < layer->out_channels; o++)
      for (guint k = 0; k < area; k++)
        energy += pow (
            layer->weight[((gsize) o * layer->in_channels + c) * area + k], 2);
  }
  return energy;
}

/* Fills @step; returns the zero that goes with it. */
static guint
choose_steps (const Work *work, guint index, gfloat *step)
{
  const SrganLayer *layer = srgan_network_get_layer (work->network, index);
  const Seen *seen = &work->seen[index];
  /* floats are made into codes by one step */
  const gboolean same = layer->operation != SRGAN_OPERATION_CONV ||
                        is_read_otherwise (work->network, index);
  g_autofree gdouble *energy = g_new (gdouble, layer->out_channels);
  gdouble least = G_MAXDOUBLE;
  guint best = 128;

  for (guint c = 0; c < layer->out_channels; c++)
    energy[c] = get_energy (work->network, index, c);
  for (guint k = 0; k < G_N_ELEMENTS (zeros); k++) {
    g_autofree gdouble *steps = g_new (gdouble, layer->out_channels);
    gdouble cost = 0, largest = 0;

    for (guint c = 0; c < layer->out_channels; c++) {
      steps[c] = MAX (MAX (seen->highest[c] / (255. - zeros[k]),
                          -seen->lowest[c] / zeros[k]) *
                          seen->clip,
          1e-6);
      largest = MAX (largest, steps[c]);
    }
    for (guint c = 0; c < layer->out_channels; c++)
      cost += pow (same ? largest : steps[c], 2) * (energy[c] + 1e-12);
    if (cost >= least)
      continue;
    least = cost;
    best = zeros[k];
    for (guint c = 0; c < layer->out_channels; c++)
      step[c] = (gfloat) (same ? largest : steps[c]);
  }
  return best;
}

/* The codes of one output's @n weights, each times its input's step, with the
 * step of least squared error. */
static gfloat
choose_codes (const gdouble *value, gsize n, gfloat *code)
{
  gdouble largest = 0, least = G_MAXDOUBLE, best = 1;

  for (gsize i = 0; i < n; i++)
    largest = MAX (largest, fabs (value[i]));
  if (largest > 0)
    for (guint k = 0; k <= 40; k++) {
      gdouble step = (gfloat) (largest / 127 * (1 - k * .0125)), cost = 0;

      for (gsize i = 0; i < n; i++)
        cost += pow (
            value[i] - step * CLAMP (rint (value[i] / step), -127, 127), 2);
      if (cost < least) {
        least = cost;
        best = step;
      }
    }
  for (gsize i = 0; i < n; i++)
    code[i] = (gfloat) CLAMP (rint (value[i] / best), -127, 127);
  return (gfloat) best;
}

/* Adds layer @index to @to, quantised. */
static gboolean
add_quantised (const Work *work, SrganNetwork *to, guint index, GError **error)
{
  SrganLayer layer = *srgan_network_get_layer (work->network, index);
  const guint out = layer.out_channels;
  const guint area = layer.kernel_width * layer.kernel_height;
  const gsize n_each = (gsize) layer.in_channels * area;
  const SrganLayer *input = NULL;
  g_autofree gfloat *step = g_new (gfloat, out);
  g_autofree gfloat *weight_step = NULL, *code = NULL, *bias = NULL;
  g_autofree gdouble *value = NULL;

  layer.output_step = layer.weight_code = layer.weight_step = NULL;
  layer.int8_bias = NULL;
  layer.output_zero = 0;
  if (layer.inputs[0] != SRGAN_INPUT_NETWORK)
    input = srgan_network_get_layer (to, (guint) layer.inputs[0]);
  if (work->seen[index].lowest) {
    layer.output_zero = choose_steps (work, index, step);
    layer.output_step = step;
  }
  if (layer.operation == SRGAN_OPERATION_CONV && input && input->output_step) {
    const Seen *seen = &work->seen[layer.inputs[0]];

    weight_step = g_new (gfloat, out);
    code = g_new (gfloat, out * n_each);
    bias = g_new (gfloat, out);
    value = g_new (gdouble, n_each);
    for (guint o = 0; o < out; o++) {
      gdouble shift = 0;

      for (gsize i = 0; i < n_each; i++)
        value[i] = (gdouble) layer.weight[o * n_each + i] *
                   input->output_step[i / area];
      weight_step[o] = choose_codes (value, n_each, code + o * n_each);
      for (gsize i = 0; i < n_each; i++)
        shift += (code[o * n_each + i] * weight_step[o] - value[i]) /
                 input->output_step[i / area] * seen->mean[i / area];
      bias[o] = (gfloat) ((layer.bias ? layer.bias[o] : 0) - shift);
    }
    layer.weight_step = weight_step;
    layer.weight_code = code;
    layer.int8_bias = bias;
  }
  return srgan_network_add_layer (to, &layer, error) >= 0;
}

static SrganNetwork *
make_quantised (const Work *work, const gchar *int8_loss,
    const gchar *bf16_loss, GError **error)
{
  g_autoptr (SrganNetwork) to = srgan_network_new_like (work->network);

  srgan_network_set_note (to, "int8-loss", int8_loss);
  srgan_network_set_note (to, "bf16-loss", bf16_loss);
  for (guint i = 0; i < srgan_network_get_n_layers (work->network); i++)
    if (!add_quantised (work, to, i, error))
      return NULL;
  return srgan_network_finish (to, error) ? g_steal_pointer (&to) : NULL;
}

/* --- Measuring ------------------------------------------------------------ */

static gsize
get_n_outputs (SrganNetwork *network, const SrganCalibration *sample)
{
  guint scale = srgan_network_get_scale (network);

  return (gsize) sample->width * sample->height * scale * scale *
         (srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3);
}

static gfloat *
run (SrganNetwork *network, const SrganCalibration *sample,
    SrganPrecision precision, GError **error)
{
  const SrganPlanSettings settings = {.width = sample->width,
      .height = sample->height,
      .layout = {.kind = SRGAN_LAYOUT_TENSOR},
      .precision = precision};
  const guint scale = srgan_network_get_scale (network);
  const gsize in_area = (gsize) sample->width * sample->height;
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, error);
  SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};
  gfloat *output;

  if (!plan)
    return NULL;
  output = g_new (gfloat, get_n_outputs (network, sample));
  for (guint c = 0; c < 3; c++) {
    if (c > 0 && srgan_network_get_colour (network) == SRGAN_COLOUR_Y)
      break;
    in.component[c] = (gfloat *) sample->input + c * in_area;
    in.stride[c] = sample->width * sizeof (gfloat);
    out.component[c] = output + c * in_area * scale * scale;
    out.stride[c] = sample->width * scale * sizeof (gfloat);
  }
  srgan_plan_run (plan, &in, &out);
  return output;
}

static gdouble
get_difference (const gfloat *a, const gfloat *b, gsize n)
{
  gdouble sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += pow (a[i] - b[i], 2);
  return sum / (gdouble) n;
}

/* The mean squared error that int8 adds; below 0 on failure. */
static gdouble
measure (const Work *work, GError **error)
{
  g_autoptr (SrganNetwork) network = make_quantised (work, NULL, NULL, error);
  gdouble sum = 0;

  if (!network)
    return -1;
  for (guint i = 0; i < work->n_samples; i++) {
    g_autofree gfloat *output =
        run (network, &work->samples[i], SRGAN_PRECISION_INT8, error);

    if (!output)
      return -1;
    sum += get_difference (
        output, work->wanted[i], get_n_outputs (network, &work->samples[i]));
  }
  return sum / work->n_samples;
}

/* The same against a picture, of what a frame of 8 bits gets. */
static gdouble
get_rounded_difference (const gfloat *output, const gfloat *target, gsize n)
{
  gdouble sum = 0;

  for (gsize i = 0; i < n; i++)
    sum += pow (rint (CLAMP (output[i], 0, 1) * 255.) / 255. - target[i], 2);
  return sum / (gdouble) n;
}

/* dB of PSNR, each picture's, on average over those held back: what each of
 * @n_precisions loses. */
static gboolean
measure_losses (SrganNetwork *network, const SrganPrecision *precisions,
    guint n_precisions, const SrganCalibration *samples, guint n_samples,
    gdouble *losses, GError **error)
{
  memset (losses, 0, n_precisions * sizeof *losses);
  for (guint i = 0; i < n_samples; i++) {
    const SrganCalibration *sample = &samples[i];
    gsize n = get_n_outputs (network, sample);
    g_autofree gfloat *fp32 =
        run (network, sample, SRGAN_PRECISION_FP32, error);
    gdouble wanted;

    if (!fp32)
      return FALSE;
    wanted = get_rounded_difference (fp32, sample->target, n) + 1e-12;
    for (guint k = 0; k < n_precisions; k++) {
      g_autofree gfloat *output = run (network, sample, precisions[k], error);

      if (!output)
        return FALSE;
      losses[k] +=
          10 *
          log10 ((get_rounded_difference (output, sample->target, n) + 1e-12) /
                 wanted) /
          n_samples;
    }
  }
  return TRUE;
}

/* What a network's note says of a loss, whatever the locale. */
static gchar *
describe_loss (gdouble loss, guint n_samples)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (number, sizeof number, "%.4f", loss);
  return g_strdup_printf ("%s dB on %u pictures held back", number, n_samples);
}

static gboolean
report (SrganQuantiseFunc progress, gpointer user_data, gdouble done,
    GError **error)
{
  if (!progress || progress (done, user_data))
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED,
      "int8: stopped; nothing was written");
  return FALSE;
}

/* Layer by layer: the range by which the output differs least. */
static gboolean
search_clips (
    Work *work, SrganQuantiseFunc progress, gpointer user_data, GError **error)
{
  const guint n_layers = srgan_network_get_n_layers (work->network);

  for (guint i = 0; i < n_layers; i++) {
    gdouble least = G_MAXDOUBLE, best = 1;

    if (!report (progress, user_data, .1 + .8 * i / n_layers, error))
      return FALSE;
    for (guint k = 0; work->seen[i].lowest && k < G_N_ELEMENTS (clips); k++) {
      gdouble difference;

      work->seen[i].clip = clips[k];
      difference = measure (work, error);
      if (difference < 0)
        return FALSE;
      if (difference < least) {
        least = difference;
        best = clips[k];
      }
    }
    work->seen[i].clip = best;
  }
  return TRUE;
}

SrganNetwork *
srgan_convert_quantise (SrganNetwork *network, const SrganCalibration *samples,
    guint n_samples, gboolean search, SrganQuantiseFunc progress,
    gpointer user_data, gdouble *loss, GError **error)
{
  const guint n_layers = srgan_network_get_n_layers (network);
  const guint n_held_back = n_samples / 3;
  Work work = {network, samples, n_samples - n_held_back, NULL, NULL};
  SrganNetwork *quantised = NULL;
  gboolean done;

  g_return_val_if_fail (n_samples >= 3, NULL);

  if (!check_network (network, error))
    return NULL;
  work.seen = g_new0 (Seen, n_layers);
  work.wanted = g_new0 (gfloat *, work.n_samples);
  for (guint i = 0; i < n_layers; i++)
    if (is_quantised (network, i)) {
      guint n = srgan_network_get_layer (network, i)->out_channels;

      work.seen[i] = (Seen){
          g_new0 (gdouble, n), g_new0 (gdouble, n), g_new0 (gdouble, n), 0, 1};
    }
  done = TRUE;
  for (guint i = 0; i < work.n_samples && done; i++) {
    observe (&work, &samples[i]);
    work.wanted[i] = run (network, &samples[i], SRGAN_PRECISION_FP32, error);
    done = work.wanted[i] &&
           report (progress, user_data, .1 * (i + 1) / work.n_samples, error);
  }
  for (guint i = 0; i < n_layers; i++)
    for (guint c = 0; work.seen[i].n > 0 &&
                      c < srgan_network_get_layer (network, i)->out_channels;
         c++)
      work.seen[i].mean[c] /= work.seen[i].n;
  if (done && (!search || search_clips (&work, progress, user_data, error)) &&
      (quantised = make_quantised (&work, NULL, NULL, error)) != NULL) {
    const SrganCalibration *held_back = samples + work.n_samples;
    const SrganPrecision precisions[] = {
        SRGAN_PRECISION_INT8, SRGAN_PRECISION_BF16};
    gdouble losses[G_N_ELEMENTS (precisions)];

    /* the losses are written into what was measured */
    if (measure_losses (quantised, precisions, G_N_ELEMENTS (precisions),
            held_back, n_held_back, losses, error)) {
      g_autofree gchar *int8_note = describe_loss (losses[0], n_held_back);
      g_autofree gchar *bf16_note = describe_loss (losses[1], n_held_back);

      srgan_network_unref (quantised);
      quantised = make_quantised (&work, int8_note, bf16_note, error);
      *loss = losses[0];
    } else {
      g_clear_pointer (&quantised, srgan_network_unref);
    }
  }
  for (guint i = 0; i < n_layers; i++) {
    g_free (work.seen[i].lowest);
    g_free (work.seen[i].highest);
    g_free (work.seen[i].mean);
  }
  for (guint i = 0; i < work.n_samples; i++)
    g_free (work.wanted[i]);
  g_free (work.seen);
  g_free (work.wanted);
  return quantised;
}
