/* convert: the formats that are written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/reader.h"

static const gchar *const target_names[] = {
    "auto", "srgan", "pytorch", "onnx", "rsr"};

G_STATIC_ASSERT (G_N_ELEMENTS (target_names) == SRGAN_N_TARGETS);

const gchar *
srgan_target_to_string (SrganTarget target)
{
  g_return_val_if_fail ((guint) target < SRGAN_N_TARGETS, NULL);
  return target_names[target];
}

gboolean
srgan_convert_write (SrganNetwork *network, const gchar *path,
    const SrganWriteOptions *options, GError **error)
{
  SrganTarget target = options->target;

  if (target == SRGAN_TARGET_AUTO && g_str_has_suffix (path, ".safetensors"))
    target = SRGAN_TARGET_SRGAN;
  if (target != SRGAN_TARGET_SRGAN || options->half || options->quantise)
    return srgan_convert_unsupported (
        error, "%s: only .safetensors is written", path);
  return srgan_network_save (network, path, error);
}
