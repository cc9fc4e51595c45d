/* tools: pictures through a network, and through a bicubic.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pictures.h"

#include "train/resample.h"

SrganPicture *
tool_resize (
    const SrganPicture *input, gdouble scale, guint width, guint height)
{
  SrganPicture *output = srgan_picture_new (width, height);

  srgan_resample_bytes (input->rgb, input->width, input->height, 3, scale,
      output->rgb, width, height);
  return output;
}

static void
describe_frame (const SrganPicture *picture, SrganFrame *frame)
{
  for (guint c = 0; c < 3; c++) {
    frame->component[c] = picture->rgb + c;
    frame->stride[c] = (gsize) picture->width * 3;
  }
}

SrganPicture *
tool_upscale (SrganNetwork *network, guint threads, SrganPrecision precision,
    const SrganPicture *input, GError **error)
{
  guint factor = srgan_network_get_scale (network);
  SrganPlanSettings settings = {
      .width = input->width,
      .height = input->height,
      .n_threads = threads,
      .precision = precision,
      .layout = {.kind = SRGAN_LAYOUT_RGB,
          .sample = SRGAN_SAMPLE_UINT8,
          .pixel_stride = {3, 3, 3},
          .matrix_kr = .299,
          .matrix_kb = .114,
          .full_range = TRUE},
  };
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, error);
  SrganPicture *output;
  SrganFrame from = {0}, to = {0};

  if (plan == NULL)
    return NULL;
  output = srgan_picture_new (input->width * factor, input->height * factor);
  describe_frame (input, &from);
  describe_frame (output, &to);
  srgan_plan_run (plan, &from, &to);
  return output;
}
