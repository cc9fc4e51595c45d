/* tools: srgan-convert --int8: the pictures that calibration looks at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "calibrate.h"

#include "tool.h"
#include "train/picture.h"
#include "train/resample.h"

#include <signal.h>
#include <srgan/srgan-convert.h>
#include <string.h>
#include <unistd.h>

/* Pictures taken, spread over the folder, and the side of the piece out of the
 * middle of each, in pixels of the network's input. */
#define N_PICTURES 48
#define SIDE 96

static volatile sig_atomic_t interrupted;

static void
interrupt (int number)
{
  interrupted = 1;
}

static gboolean
show_progress (gdouble done, gpointer user_data)
{
  if (isatty (STDERR_FILENO))
    g_printerr ("\rint8: %3.0f %%", 100 * done);
  return !interrupted;
}

/* Planar values of the network's kind. */
static gfloat *
make_tensor (const SrganPicture *picture, SrganColour colour)
{
  const gsize area = (gsize) picture->width * picture->height;
  const guint channels = colour == SRGAN_COLOUR_Y ? 1 : 3;
  gfloat *values = g_new (gfloat, channels * area);

  if (colour == SRGAN_COLOUR_Y) {
    g_autofree gdouble *luma = g_new (gdouble, area);

    srgan_picture_get_luma (picture, luma);
    for (gsize i = 0; i < area; i++)
      values[i] = (gfloat) (luma[i] / 255);
    return values;
  }
  for (gsize i = 0; i < area; i++)
    for (guint c = 0; c < 3; c++)
      values[c * area + i] = picture->rgb[3 * i + c] / 255.f;
  return values;
}

/* The middle of @picture, @side pixels wide and high at most. */
static SrganPicture *
cut (const SrganPicture *picture, guint side, guint factor)
{
  guint width = MIN (picture->width, side) / factor * factor;
  guint height = MIN (picture->height, side) / factor * factor;
  guint x = (picture->width - width) / 2, y = (picture->height - height) / 2;
  SrganPicture *piece = srgan_picture_new (width, height);

  for (guint row = 0; row < height; row++)
    memcpy (piece->rgb + (gsize) row * width * 3,
        picture->rgb + ((gsize) (y + row) * picture->width + x) * 3,
        (gsize) width * 3);
  return piece;
}

static gboolean
add_sample (
    GArray *samples, SrganNetwork *network, const gchar *path, GError **error)
{
  const guint factor = srgan_network_get_scale (network);
  const SrganColour colour = srgan_network_get_colour (network);
  g_autoptr (SrganPicture) whole = srgan_picture_load (path, error);
  g_autoptr (SrganPicture) large = NULL, small = NULL;
  SrganCalibration sample;

  if (whole == NULL)
    return FALSE;
  if (MIN (whole->width, whole->height) < 16 * factor) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s: %ux%u pixels are too few", path, whole->width, whole->height);
    return FALSE;
  }
  large = cut (whole, SIDE * factor, factor);
  small = srgan_picture_new (large->width / factor, large->height / factor);
  srgan_resample_bytes (large->rgb, large->width, large->height, 3, 1. / factor,
      small->rgb, small->width, small->height);
  sample = (SrganCalibration){small->width, small->height,
      make_tensor (small, colour), make_tensor (large, colour)};
  g_array_append_val (samples, sample);
  return TRUE;
}

SrganNetwork *
tool_calibrate (SrganNetwork *network, const gchar *folder, GError **error)
{
  g_autoptr (GPtrArray) paths =
      srgan_picture_list (folder, SRGAN_LIST_RECURSIVE, error);
  g_autoptr (GArray) samples = NULL;
  SrganNetwork *quantised = NULL;
  struct sigaction action = {.sa_handler = interrupt}, old;
  gdouble loss = 0;
  guint n;

  if (paths == NULL)
    return NULL;
  if (srgan_network_get_colour (network) == SRGAN_COLOUR_YCBCR) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "int8: calibration knows networks of luma and of RGB, not of YCbCr");
    return NULL;
  }
  sigaction (SIGINT, &action, &old);
  samples = g_array_new (FALSE, TRUE, sizeof (SrganCalibration));
  n = MIN (paths->len, N_PICTURES);
  for (guint i = 0; i < n && !interrupted; i++) {
    GError *reason = NULL;

    if (!add_sample (
            samples, network, paths->pdata[i * paths->len / n], &reason)) {
      tool_warn ("left out: %s", reason->message);
      g_error_free (reason);
    }
  }
  if (samples->len < 3)
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "--calibrate %s: 3 pictures are needed at least, there are %u", folder,
        samples->len);
  else
    quantised = srgan_convert_quantise (network,
        (const SrganCalibration *) samples->data, samples->len, TRUE,
        show_progress, NULL, &loss, error);
  sigaction (SIGINT, &old, NULL);
  if (isatty (STDERR_FILENO))
    g_printerr ("\r\033[K");
  for (guint i = 0; i < samples->len; i++) {
    g_free ((gpointer) g_array_index (samples, SrganCalibration, i).input);
    g_free ((gpointer) g_array_index (samples, SrganCalibration, i).target);
  }
  if (quantised != NULL)
    g_printerr ("int8 loses %.3f dB on pictures held back\n", loss);
  return quantised;
}
