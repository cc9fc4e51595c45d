/* tests: what every int8 set must do: the arithmetic that int8.h describes, to
 * the bit.
 *
 * Expected values are computed here, straight from the formulas, with exact
 * integers; memory is guarded as in check.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Convolution ---- */

typedef struct {
  SrganInt8Layer layer;
  guint width;
  gboolean is_extreme; /* all codes the largest or smallest there are */
} Shape;

static void
begin_shape (const SrganInt8Kernels *kernels, const Shape *s)
{
  const SrganInt8Layer *layer = &s->layer;

  take_back ();
  begin ("int8 %s: %s, %u (stride %u) to %u channels (stride %u) of %s, "
         "%u x %u, width %u%s%s%s",
      kernels->name, layer->input_type == SRGAN_MAP_BYTES ? "bytes" : "words",
      layer->in_channels, layer->in_stride, layer->out_channels,
      layer->out_stride,
      layer->output_type == SRGAN_MAP_BYTES ? "bytes" : "floats",
      layer->kernel_width, layer->kernel_height, s->width,
      s->is_extreme ? ", extreme" : "", layer->bias ? ", bias" : "",
      layer->slope ? ", slope" : "");
}

/* What the caller of pack() gives, beside what @s says already. */
static void
make_layer (SrganInt8Layer *layer, const Shape *s)
{
  gsize n_inputs, n_weights, i;
  guint o;

  *layer = s->layer;
  n_inputs =
      (gsize) layer->in_channels * layer->kernel_width * layer->kernel_height;
  n_weights = n_inputs * layer->out_channels;
  if (layer->input_type == SRGAN_MAP_BYTES) {
    gint8 *code = take (n_weights);
    gfloat *step = take (layer->out_channels * sizeof (gfloat));

    for (i = 0; i < n_weights; i++)
      code[i] = s->is_extreme ? (draw () & 15 ? 127 : -127)
                              : (gint) draw_range (0, 254) - 127;
    for (o = 0; o < layer->out_channels; o++)
      step[o] = .001f * (2 + draw_unit ());
    /* an output all of whose weights are of one sign, and largest */
    if (s->is_extreme)
      memset (code, draw () & 1 ? 127 : -127, n_inputs);
    layer->weight_code = code;
    layer->weight_step = step;
  } else {
    gfloat *weight = take (n_weights * sizeof (gfloat));

    for (i = 0; i < n_weights; i++)
      weight[i] = draw_unit ();
    /* a channel without weights, one with a single large one */
    if (s->is_extreme) {
      memset (weight, 0, n_inputs * sizeof (gfloat));
      if (layer->out_channels > 1) {
        memset (weight + n_inputs, 0, n_inputs * sizeof (gfloat));
        weight[n_inputs] = -3;
      }
    }
    layer->weight = weight;
  }
  if (layer->bias) {
    gfloat *bias = take (layer->out_channels * sizeof (gfloat));

    for (o = 0; o < layer->out_channels; o++)
      bias[o] = draw_unit () * (s->is_extreme ? 1e4f : 3);
    layer->bias = bias;
  }
  if (layer->slope) {
    gfloat *slope = take (layer->out_channels * sizeof (gfloat));

    for (o = 0; o < layer->out_channels; o++)
      slope[o] = o % 3 == 0 ? 0 : draw_unit () * 2;
    layer->slope = slope;
  }
}

static gpointer
make_row (const Shape *s, guint n_pixels)
{
  const SrganInt8Layer *layer = &s->layer;
  gsize n = (gsize) n_pixels * layer->in_stride, i;

  if (layer->input_type == SRGAN_MAP_BYTES) {
    guint8 *row = take (n);

    for (i = 0; i < n; i++)
      row[i] = s->is_extreme ? (draw () & 15 ? 255 : 0) : draw () >> 8;
    return row;
  } else {
    /* one code more, of any value */
    gint16 *row = take ((n + 1) * sizeof (gint16));

    for (i = 0; i < n; i++)
      row[i] = s->is_extreme ? (draw () & 15 ? 32767 : -32767)
                             : (gint) (draw () >> 16) % 65535 - 32767;
    return row;
  }
}

/* The weight codes of output @o, their step; of words what pack() makes of
 * the weights. */
static gdouble
get_codes (gint *code, const SrganInt8Layer *layer, guint o, gsize n_inputs)
{
  gdouble sum = 0, largest = 0, step;
  gsize i;

  if (layer->input_type == SRGAN_MAP_BYTES) {
    for (i = 0; i < n_inputs; i++)
      code[i] = layer->weight_code[o * n_inputs + i];
    return layer->weight_step[o];
  }
  for (i = 0; i < n_inputs; i++) {
    sum += fabs (layer->weight[o * n_inputs + i]);
    largest = fmax (largest, fabs (layer->weight[o * n_inputs + i]));
  }
  step = sum / (32767 - n_inputs * .5);
  if (step > 0 && largest >= 127 * step)
    step = largest / (127 * floor (largest / (127 * step)));
  if (layer->bias)
    step = fmax (step,
        fabs (layer->bias[o]) / ((gdouble) layer->input_step * (1 << 29)));
  if (step == 0)
    step = 1;
  for (i = 0; i < n_inputs; i++)
    code[i] = (gint) rint (layer->weight[o * n_inputs + i] / step);
  return step;
}

static gfloat
get_expected (const SrganInt8Layer *layer, const void *const *rows,
    const gint *code, gdouble step, guint o, guint x)
{
  gdouble scale = layer->input_step * step, factor, slope, limit, rest;
  gfloat addend;
  gint64 sum, largest = 0;
  guint i, ky, kx;

  sum = layer->bias ? (gint64) rint (layer->bias[o] / scale) : 0;
  rest = layer->bias ? layer->bias[o] / scale - sum : 0;
  if (layer->input_type == SRGAN_MAP_BYTES)
    sum = CLAMP (sum, -(1 << 30), 1 << 30);
  else
    sum = CLAMP (sum, -(1 << 29), 1 << 29);
  limit = (gdouble) ABS (sum);
  for (i = 0; i < layer->in_channels; i++)
    for (ky = 0; ky < layer->kernel_height; ky++)
      for (kx = 0; kx < layer->kernel_width; kx++, code++) {
        gsize at = (gsize) (x + kx) * layer->in_stride + i;

        if (layer->input_type == SRGAN_MAP_BYTES)
          sum += *code * (((const guint8 *) rows[ky])[at] - layer->input_zero);
        else
          sum += *code * (gint64) ((const gint16 *) rows[ky])[at];
        largest += ABS (*code);
      }
  if (sum != (gint32) sum)
    fail ("the sum %g of pixel %u, channel %u, leaves 32 bits", (gdouble) sum,
        x, o);

  limit += largest * (layer->input_type == SRGAN_MAP_BYTES ? 255. : 32767.) + 1;
  factor = scale;
  if (layer->output_type == SRGAN_MAP_BYTES)
    factor /= layer->output_step;
  addend = layer->output_type == SRGAN_MAP_BYTES ? layer->output_zero : 0;
  addend += (gfloat) (rest * factor);
  slope = factor * (layer->slope ? layer->slope[o] : 1);
  if (layer->output_type == SRGAN_MAP_BYTES) {
    limit = (1 << 30) / limit;
    factor = MIN (factor, limit);
    slope = CLAMP (slope, -limit, limit);
  }
  return fmaf (
      (gfloat) (gint32) sum, (gfloat) (sum < 0 ? slope : factor), addend);
}

static guint8
get_byte (gfloat y)
{
  return (guint8) rintf (y < 255 ? (y > 0 ? y : 0) : 255);
}

static void
compare_pixel (const SrganInt8Layer *layer, gconstpointer output, gsize at,
    gfloat expected, guint x, guint o)
{
  if (layer->output_type == SRGAN_MAP_BYTES) {
    guint8 got = ((const guint8 *) output)[at];

    if (got != get_byte (expected))
      fail ("pixel %u, channel %u: %u, not %u (%.9g)", x, o, got,
          get_byte (expected), expected);
  } else {
    gfloat got = ((const gfloat *) output)[at];

    if (memcmp (&got, &expected, sizeof got) != 0)
      fail ("pixel %u, channel %u: %.9g, not %.9g", x, o, got, expected);
  }
}

static void
check_shape (const SrganInt8Kernels *kernels, const Shape *s)
{
  static gint code[16384];
  SrganInt8Convolution convolution;
  SrganInt8Layer layer;
  const void *rows[SRGAN_KERNEL_MAX_SIDE];
  guint8 *output, *piece;
  gsize size = s->layer.output_type == SRGAN_MAP_BYTES ? 1 : sizeof (gfloat);
  gsize n_inputs = (gsize) s->layer.in_channels * s->layer.kernel_width *
                   s->layer.kernel_height;
  gsize bytes;
  guint out_stride, ky, x, o, first;

  begin_shape (kernels, s);
  if (n_inputs > G_N_ELEMENTS (code))
    fail ("the test has no room for so many weights");
  make_layer (&layer, s);
  for (ky = 0; ky < layer.kernel_height; ky++)
    rows[ky] = make_row (s, s->width + layer.kernel_width - 1);
  if (!kernels->pack (&convolution, &layer))
    fail ("not packed");
  out_stride = convolution.out_stride;
  if (out_stride != (layer.out_stride ? layer.out_stride
                                      : kernels->get_channel_stride (
                                            layer.out_channels)) ||
      convolution.in_channels != layer.in_channels ||
      convolution.in_stride != layer.in_stride ||
      convolution.out_channels != layer.out_channels ||
      convolution.kernel_width != layer.kernel_width ||
      convolution.kernel_height != layer.kernel_height ||
      convolution.input_type != layer.input_type ||
      convolution.output_type != layer.output_type || convolution.bytes == 0)
    fail ("packed as something else");

  bytes = (gsize) s->width * out_stride * size;
  output = take (bytes);
  kernels->convolve_row (&convolution, rows, output, s->width);
  for (o = 0; o < layer.out_channels; o++) {
    gdouble step = get_codes (code, &layer, o, n_inputs);

    for (x = 0; x < s->width; x++)
      compare_pixel (&layer, output, (gsize) x * out_stride + o,
          get_expected (&layer, rows, code, step, o, x), x, o);
  }
  for (; o < out_stride; o++)
    for (x = 0; x < s->width; x++)
      compare_pixel (&layer, output, (gsize) x * out_stride + o,
          layer.output_type == SRGAN_MAP_BYTES ? layer.output_zero : 0, x, o);

  /* The same pixels from anywhere in the row, with other widths. */
  if (s->width > 1) {
    guint n;

    first = draw_range (0, s->width - 1);
    n = draw_range (1, s->width - first);
    for (ky = 0; ky < layer.kernel_height; ky++)
      rows[ky] = (const guint8 *) rows[ky] +
                 (gsize) first * layer.in_stride *
                     (layer.input_type == SRGAN_MAP_BYTES ? 1 : 2);
    piece = take ((gsize) n * out_stride * size);
    kernels->convolve_row (&convolution, rows, piece, n);
    if (memcmp (piece, output + (gsize) first * out_stride * size,
            (gsize) n * out_stride * size) != 0)
      fail (
          "%u pixels from %u on differ from those of the whole row", n, first);
  }
  srgan_int8_convolution_clear (&convolution);
  if (convolution.weight || convolution.bias || convolution.positive ||
      convolution.negative || convolution.addend)
    fail ("not cleared");
}

static const gfloat some; /* stands for "has one" until make_layer() */

static Shape
draw_shape (SrganMapType input_type)
{
  Shape s = {
      .layer = {
          .kernel_width = 3,
          .kernel_height = 3,
          .input_type = input_type,
          .output_type = draw () & 1 ? SRGAN_MAP_BYTES : SRGAN_MAP_FLOATS,
      }};
  SrganInt8Layer *layer = &s.layer;

  s.width = draw_range (1, 70);
  s.is_extreme = draw () % 4 == 0;
  layer->bias = draw () & 1 ? &some : NULL;
  layer->slope = draw () & 1 ? &some : NULL;
  layer->input_step =
      input_type == SRGAN_MAP_BYTES ? 1.f / draw_range (20, 200) : 1.f / 16384;
  layer->input_zero = draw_range (0, 255);
  layer->output_step = 1.f / draw_range (20, 60);
  layer->output_zero = draw_range (0, 255);
  return s;
}

/* All pairs of the channel counts that networks have. */
static void
check_channels (const SrganInt8Kernels *kernels, guint effort)
{
  static const guint channels[] = {1, 3, 4, 8, 12, 16, 24, 28, 32, 48, 64};
  guint i, o;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    for (o = 0; o < G_N_ELEMENTS (channels); o++) {
      Shape s = draw_shape (SRGAN_MAP_BYTES);

      s.layer.in_channels = channels[i];
      s.layer.in_stride = kernels->get_channel_stride (channels[i]);
      s.layer.out_channels = channels[o];
      check_shape (kernels, &s);
    }
}

/* Every width that a set's blocks can make something special of. */
static void
check_widths (const SrganInt8Kernels *kernels, guint effort)
{
  static const guint channels[][2] = {
      {16, 16}, {16, 4}, {16, 12}, {32, 32}, {64, 48}, {12, 20}, {4, 8}};
  guint i, width;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    for (width = 1; width <= 70; width++) {
      Shape s = draw_shape (SRGAN_MAP_BYTES);

      s.layer.in_channels = s.layer.in_stride = channels[i][0];
      s.layer.out_channels = channels[i][1];
      s.width = width;
      check_shape (kernels, &s);
    }
}

static void
check_shapes (const SrganInt8Kernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    Shape s = draw_shape (SRGAN_MAP_BYTES);
    guint side = draw_range (1, LARGEST_SIDE);

    s.layer.kernel_width = side;
    s.layer.kernel_height = draw () & 1 ? side : draw_range (1, LARGEST_SIDE);
    s.layer.in_channels = draw_range (1, 30);
    s.layer.in_stride = kernels->get_channel_stride (s.layer.in_channels) +
                        (draw () & 1 ? 0 : 4 * draw_range (0, 5));
    s.layer.out_channels = draw_range (1, 40);
    if (draw () & 1)
      s.layer.out_stride = kernels->get_channel_stride (s.layer.out_channels) +
                           4 * draw_range (0, 5);
    check_shape (kernels, &s);
  }
}

/* The first layer: gray or colour, and any else. */
static void
check_words (const SrganInt8Kernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 300 * effort; round++) {
    Shape s = draw_shape (SRGAN_MAP_WORDS);

    if (draw () % 4 == 0) {
      s.layer.kernel_width = draw_range (1, LARGEST_SIDE);
      s.layer.kernel_height = draw_range (1, LARGEST_SIDE);
    }
    s.layer.in_channels = draw () & 1 ? 1 : draw_range (1, 4);
    s.layer.in_stride =
        s.layer.in_channels + (draw () & 1 ? 0 : draw_range (0, 2));
    s.layer.out_channels = draw () & 1 ? 16 : draw_range (1, 40);
    check_shape (kernels, &s);
  }
}

/* ---- Rows ---- */

static gfloat *
take_floats (guint n, gfloat magnitude)
{
  gfloat *memory = take (n * sizeof (gfloat));
  guint i;

  for (i = 0; i < n; i++)
    switch (draw () % 16) {
    case 0:
      memory[i] = NAN;
      break;
    case 1:
      memory[i] = draw () & 1 ? INFINITY : -INFINITY;
      break;
    case 2:
      memory[i] = draw () & 1 ? FLT_MAX : -FLT_MAX;
      break;
    case 3: /* halves, which are rounded to even */
      memory[i] = draw_range (0, 40) * .5f - 10;
      break;
    default:
      memory[i] = draw_unit () * magnitude;
      break;
    }
  return memory;
}

static guint8 *
take_bytes (guint n)
{
  guint8 *memory = take (n);
  guint i;

  for (i = 0; i < n; i++)
    memory[i] = draw () >> 8;
  return memory;
}

static void
check_quantise (const SrganInt8Kernels *kernels, guint effort)
{
  guint round, i;

  for (round = 0; round < 200 * effort; round++) {
    guint n = draw_range (0, 150);
    gfloat inverse = draw () & 1 ? 1 : draw_range (1, 3000) * .01f;
    guint8 zero = draw_range (0, 255);
    const gfloat *input;
    gint16 *words;
    guint8 *bytes;

    take_back ();
    begin ("int8 %s: quantise, %u, inverse step %g, zero %u", kernels->name, n,
        inverse, zero);
    input = take_floats (n, draw () & 1 ? 300 / inverse : 40000 / inverse);
    words = take (n * sizeof (gint16));
    kernels->quantise_words (words, input, inverse, n);
    bytes = take (n);
    kernels->quantise_bytes (bytes, input, inverse, zero, n);
    for (i = 0; i < n; i++) {
      gfloat y = input[i] * inverse;
      gint expected =
          isnan (y) ? 32767 : (gint) rintf (fmaxf (fminf (y, 32767), -32767));

      if (words[i] != expected)
        fail ("%.9g becomes %d, not %d", input[i], words[i], expected);
      expected = get_byte (fmaf (input[i], inverse, zero));
      if (bytes[i] != expected)
        fail ("%.9g becomes %u, not %d", input[i], bytes[i], expected);
    }
  }
}

static void
check_dequantise (const SrganInt8Kernels *kernels, guint effort)
{
  guint round, i;

  for (round = 0; round < 100 * effort; round++) {
    guint n = draw_range (0, 150);
    gfloat step = draw_range (1, 1000) * .001f;
    guint8 zero = draw_range (0, 255);
    const guint8 *input;
    gfloat *output;

    take_back ();
    begin ("int8 %s: dequantise_bytes, %u, step %g, zero %u", kernels->name, n,
        step, zero);
    input = take_bytes (n);
    output = take (n * sizeof (gfloat));
    kernels->dequantise_bytes (output, input, step, zero, n);
    for (i = 0; i < n; i++)
      if (output[i] != (gfloat) (input[i] - zero) * step)
        fail ("%u becomes %.9g, not %.9g", input[i], output[i],
            (gfloat) (input[i] - zero) * step);
  }
}

static void
check_add (const SrganInt8Kernels *kernels, guint effort)
{
  guint round, i;

  for (round = 0; round < 100 * effort; round++) {
    guint n = draw_range (0, 150);
    gfloat a_factor = draw_unit () * 2, b_factor = draw_unit () * 2;
    gfloat addend = draw_unit () * 300;
    guint8 *a, *b, *output, expected[150];

    take_back ();
    begin ("int8 %s: add_bytes, %u, factors %g and %g, addend %g",
        kernels->name, n, a_factor, b_factor, addend);
    a = take_bytes (n);
    b = take_bytes (n);
    for (i = 0; i < n; i++)
      expected[i] =
          get_byte (fmaf (a[i], a_factor, fmaf (b[i], b_factor, addend)));
    output = draw () % 3 == 0 ? a : draw () & 1 ? b : take (n);
    kernels->add_bytes (output, a, b, a_factor, b_factor, addend, n);
    for (i = 0; i < n; i++)
      if (output[i] != expected[i])
        fail ("byte %u: %u, not %u", i, output[i], expected[i]);
  }
}

static void
check_multiply_add (const SrganInt8Kernels *kernels, guint effort)
{
  gdouble once, more;

  begin ("int8 %s: multiply_add", kernels->name);
  once = kernels->multiply_add (1);
  more = kernels->multiply_add (1000);
  if (once < 2. || more != 1000 * once)
    fail ("%g operations in one round, %g in 1000", once, more);
}

static void
check_channel_stride (const SrganInt8Kernels *kernels, guint effort)
{
  guint channels;

  begin ("int8 %s: get_channel_stride", kernels->name);
  for (channels = 1; channels <= 300; channels++)
    if (kernels->get_channel_stride (channels) != (channels + 3) / 4 * 4)
      fail ("%u for %u channels", kernels->get_channel_stride (channels),
          channels);
}

static const struct {
  const gchar *name;
  void (*run) (const SrganInt8Kernels *kernels, guint effort);
} checks[] = {
    {"get_channel_stride", check_channel_stride},
    {"convolve_row/channels", check_channels},
    {"convolve_row/widths", check_widths},
    {"convolve_row/shapes", check_shapes},
    {"convolve_row/words", check_words},
    {"quantise", check_quantise},
    {"dequantise_bytes", check_dequantise},
    {"add_bytes", check_add},
    {"multiply_add", check_multiply_add},
};

guint
kernels_check_int8_get_n (void)
{
  return G_N_ELEMENTS (checks);
}

const gchar *
kernels_check_int8_get_name (guint index)
{
  return checks[index].name;
}

typedef struct {
  guint index;
  const SrganInt8Kernels *kernels;
} Job;

static void
run_job (gconstpointer data, guint effort)
{
  const Job *job = data;

  checks[job->index].run (job->kernels, effort);
}

const gchar *
kernels_check_int8_run (
    guint index, const SrganInt8Kernels *kernels, guint effort)
{
  const Job job = {index, kernels};

  return run_check (run_job, &job, effort);
}
