/* Frames for the engine's tests: any layout, with guarded memory around every
 * row.
 *
 * SPDX-License-Identifier: MIT
 */
#include "frames.h"

#include <math.h>
#include <string.h>

#define GUARD 0xa5
#define GUARD_BYTES 68

const gchar *const format_names[N_FORMATS] = {
    "GRAY8", "I420", "NV12", "Y42B", "Y444", "RGB", "RGBA", "RGBx"};

static const struct {
  SrganLayoutKind kind;
  SrganFourth fourth;
  guint shift_x, shift_y;
  guint pixel_stride[SRGAN_MAX_COMPONENTS];
} formats[N_FORMATS] = {
    [FORMAT_GRAY8] = {SRGAN_LAYOUT_GRAY, SRGAN_FOURTH_NONE, 0, 0, {1}},
    [FORMAT_I420] = {SRGAN_LAYOUT_YUV, SRGAN_FOURTH_NONE, 1, 1, {1, 1, 1}},
    [FORMAT_NV12] = {SRGAN_LAYOUT_YUV, SRGAN_FOURTH_NONE, 1, 1, {1, 2, 2}},
    [FORMAT_Y42B] = {SRGAN_LAYOUT_YUV, SRGAN_FOURTH_NONE, 1, 0, {1, 1, 1}},
    [FORMAT_Y444] = {SRGAN_LAYOUT_YUV, SRGAN_FOURTH_NONE, 0, 0, {1, 1, 1}},
    [FORMAT_RGB] = {SRGAN_LAYOUT_RGB, SRGAN_FOURTH_NONE, 0, 0, {3, 3, 3}},
    [FORMAT_RGBA] = {SRGAN_LAYOUT_RGB, SRGAN_FOURTH_ALPHA, 0, 0, {4, 4, 4, 4}},
    [FORMAT_RGBX] = {SRGAN_LAYOUT_RGB, SRGAN_FOURTH_FILLER, 0, 0, {4, 4, 4, 4}},
};

SrganLayout
format_get_layout (Format format)
{
  SrganLayout layout = {0};

  layout.kind = formats[format].kind;
  layout.fourth = formats[format].fourth;
  layout.chroma_width_shift = formats[format].shift_x;
  layout.chroma_height_shift = formats[format].shift_y;
  layout.chroma_cosited_x = TRUE;
  layout.matrix_kr = .299;
  layout.matrix_kb = .114;
  layout.full_range = layout.kind == SRGAN_LAYOUT_RGB;
  memcpy (layout.pixel_stride, formats[format].pixel_stride,
      sizeof layout.pixel_stride);
  return layout;
}

SrganLayout
format_get_float_layout (Format format)
{
  SrganLayout layout = format_get_layout (format);
  guint i;

  layout.sample = SRGAN_SAMPLE_FLOAT;
  for (i = 0; i < SRGAN_MAX_COMPONENTS; i++)
    layout.pixel_stride[i] = 1;
  return layout;
}

static guint
get_sample_size (const SrganLayout *layout)
{
  return layout->sample == SRGAN_SAMPLE_FLOAT ? sizeof (gfloat) : 1;
}

guint
test_frame_get_n_components (const TestFrame *frame)
{
  if (frame->layout.fourth != SRGAN_FOURTH_NONE)
    return 4;
  return frame->layout.kind == SRGAN_LAYOUT_GRAY ? 1 : 3;
}

static gboolean
is_chroma (const TestFrame *frame, guint component)
{
  return frame->layout.kind == SRGAN_LAYOUT_YUV &&
         (component == 1 || component == 2);
}

gint
test_frame_get_width (const TestFrame *frame, guint component)
{
  guint shift =
      is_chroma (frame, component) ? frame->layout.chroma_width_shift : 0;

  return (frame->width + (1 << shift) - 1) >> shift;
}

gint
test_frame_get_height (const TestFrame *frame, guint component)
{
  guint shift =
      is_chroma (frame, component) ? frame->layout.chroma_height_shift : 0;

  return (frame->height + (1 << shift) - 1) >> shift;
}

/* Components with a pixel stride above 1 share a plane. */
TestFrame *
test_frame_new (const SrganLayout *layout, gint width, gint height)
{
  TestFrame *frame = g_new0 (TestFrame, 1);
  guint c, n, shared = 0, size = get_sample_size (layout);
  gsize offsets[SRGAN_MAX_COMPONENTS];
  gsize at = 0;

  frame->layout = *layout;
  frame->width = width;
  frame->height = height;
  n = test_frame_get_n_components (frame);
  for (c = 0; c < n; c++) {
    gsize stride = (gsize) test_frame_get_width (frame, c) *
                   layout->pixel_stride[c] * size;

    /* An odd stride for bytes; floats are aligned. */
    frame->frame.stride[c] = stride + (size == 1 ? 7 : 8);
    if (shared > 0) {
      offsets[c] = offsets[c - 1] + size;
      shared--;
      continue;
    }
    offsets[c] = at + GUARD_BYTES;
    at = offsets[c] +
         frame->frame.stride[c] * (gsize) test_frame_get_height (frame, c);
    shared = layout->pixel_stride[c] - 1;
  }
  frame->size = at + GUARD_BYTES;
  frame->memory = g_malloc (frame->size);
  memset (frame->memory, GUARD, frame->size);
  frame->written = g_malloc0 (frame->size);
  for (c = 0; c < n; c++) {
    gint x, y;

    frame->frame.component[c] = frame->memory + offsets[c];
    for (y = 0; y < test_frame_get_height (frame, c); y++)
      for (x = 0; x < test_frame_get_width (frame, c); x++) {
        gsize i = offsets[c] + (gsize) y * frame->frame.stride[c] +
                  (gsize) x * layout->pixel_stride[c] * size;

        memset (frame->written + i, 1, size);
        memset (frame->memory + i, 0, size);
      }
  }
  return frame;
}

void
test_frame_free (TestFrame *frame)
{
  g_free (frame->memory);
  g_free (frame->written);
  g_free (frame);
}

static gpointer
get_sample (const TestFrame *frame, guint component, gint x, gint y)
{
  return (guint8 *) frame->frame.component[component] +
         (gsize) y * frame->frame.stride[component] +
         (gsize) x * frame->layout.pixel_stride[component] *
             get_sample_size (&frame->layout);
}

gdouble
test_frame_get (const TestFrame *frame, guint component, gint x, gint y)
{
  gpointer sample = get_sample (frame, component, x, y);

  return frame->layout.sample == SRGAN_SAMPLE_FLOAT ? *(gfloat *) sample
                                                    : *(guint8 *) sample / 255.;
}

void
test_frame_set (
    TestFrame *frame, guint component, gint x, gint y, gdouble value)
{
  gpointer sample = get_sample (frame, component, x, y);

  if (frame->layout.sample == SRGAN_SAMPLE_FLOAT)
    *(gfloat *) sample = (gfloat) value;
  else
    *(guint8 *) sample = (guint8) floor (CLAMP (value, 0, 1) * 255 + .5);
}

void
test_frame_fill (TestFrame *frame, guint32 seed)
{
  GRand *random = g_rand_new_with_seed (seed);
  guint c;
  gint x, y;

  for (c = 0; c < test_frame_get_n_components (frame); c++) {
    gdouble phase = g_rand_double (random) * 6;

    for (y = 0; y < test_frame_get_height (frame, c); y++)
      for (x = 0; x < test_frame_get_width (frame, c); x++) {
        gdouble value = .5 + .25 * sin (x * .31 + y * .17 + phase);

        if ((x / 5 + y / 7) % 3 == 0)
          value += .2;
        value += g_rand_double_range (random, -.05, .05);
        test_frame_set (frame, c, x, y, value);
      }
  }
  g_rand_free (random);
}

void
test_frame_check_guards (const TestFrame *frame)
{
  gsize i;

  for (i = 0; i < frame->size; i++)
    if (!frame->written[i] && frame->memory[i] != GUARD)
      g_error ("byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
               " beside the samples was written",
          i, frame->size);
}

void
test_frame_assert_equal (const TestFrame *a, const TestFrame *b)
{
  guint c;
  gint x, y;

  for (c = 0; c < test_frame_get_n_components (a); c++)
    for (y = 0; y < test_frame_get_height (a, c); y++)
      for (x = 0; x < test_frame_get_width (a, c); x++)
        if (test_frame_get (a, c, x, y) != test_frame_get (b, c, x, y))
          g_error ("component %u differs at %d, %d: %g, %g", c, x, y,
              test_frame_get (a, c, x, y) * 255,
              test_frame_get (b, c, x, y) * 255);
}

TestFrame *
test_frame_new_input (SrganNetwork *network, gint width, gint height)
{
  SrganColour colour = srgan_network_get_colour (network);
  SrganLayout layout = format_get_float_layout (
      colour == SRGAN_COLOUR_RGB ? FORMAT_RGB : FORMAT_Y444);
  TestFrame *frame;

  if (colour == SRGAN_COLOUR_Y)
    layout.kind = SRGAN_LAYOUT_GRAY;
  frame = test_frame_new (&layout, width, height);
  test_frame_fill (frame, 3);
  return frame;
}

TestFrame *
test_frame_run (SrganNetwork *network, const SrganPlanSettings *settings,
    const TestFrame *input)
{
  gint scale = (gint) srgan_network_get_scale (network);
  SrganPlanSettings own = *settings;
  GError *error = NULL;
  g_autoptr (SrganPlan) plan = NULL;
  TestFrame *output;

  own.width = (guint) input->width;
  own.height = (guint) input->height;
  own.layout = input->layout;
  plan = srgan_plan_new (network, &own, &error);
  g_assert_no_error (error);
  output = test_frame_new (
      &input->layout, input->width * scale, input->height * scale);
  srgan_plan_run (plan, &input->frame, &output->frame);
  test_frame_check_guards (output);
  test_frame_check_guards (input);
  return output;
}
