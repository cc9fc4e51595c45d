/* convert: the formats that are written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/write.h"

#include "convert/reader.h"
#include "network/network-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
  const gchar *name;
  const gchar *ending; /* that AUTO takes for it */
  gboolean can_halve;
  gboolean can_quantise;
  gboolean has_layout;
  GBytes *(*write) (
      SrganNetwork *network, const SrganWriteOptions *options, GError **error);
} targets[SRGAN_N_TARGETS] = {
    [SRGAN_TARGET_AUTO] = {"auto"},
    /* srgan_network_save() writes it */
    [SRGAN_TARGET_SRGAN] = {"srgan", ".safetensors", TRUE},
    [SRGAN_TARGET_PYTORCH] = {"pytorch", NULL, TRUE, FALSE, TRUE,
        srgan_write_pytorch},
    [SRGAN_TARGET_ONNX] = {"onnx", ".onnx", TRUE, FALSE, FALSE,
        srgan_write_onnx},
    [SRGAN_TARGET_RSR] = {"rsr", ".rsr", FALSE, TRUE, TRUE, srgan_write_rsr},
};

const gchar *
srgan_target_to_string (SrganTarget target)
{
  g_return_val_if_fail ((guint) target < SRGAN_N_TARGETS, NULL);
  return targets[target].name;
}

SrganTarget
srgan_target_from_path (const gchar *path)
{
  for (guint i = 0; i < SRGAN_N_TARGETS; i++)
    if (targets[i].ending != NULL && g_str_has_suffix (path, targets[i].ending))
      return (SrganTarget) i;
  return SRGAN_TARGET_AUTO;
}

gboolean
srgan_target_has_layout (SrganTarget target)
{
  g_return_val_if_fail ((guint) target < SRGAN_N_TARGETS, FALSE);
  return targets[target].has_layout;
}

/* Under a temporary name beside it, then renamed. */
static gboolean
save (GBytes *bytes, const gchar *path, GError **error)
{
  g_autofree gchar *shown = g_filename_display_name (path);
  g_autoptr (GError) reason = NULL;
  struct stat status;
  gchar *target = NULL;
  gsize size;
  const gchar *data = g_bytes_get_data (bytes, &size);

  /* What is renamed over would be lost: a device, or the link instead of the
   * file that it leads to. */
  if (stat (path, &status) == 0) {
    if (!S_ISREG (status.st_mode))
      return srgan_convert_fail (
          error, SRGAN_ERROR_WRITE, "%s: exists and is not a file", shown);
    target = realpath (path, NULL);
  }
  g_file_set_contents_full (target != NULL ? target : path, data, (gssize) size,
      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
      &reason);
  free (target);
  if (reason != NULL)
    return srgan_convert_fail (error, SRGAN_ERROR_WRITE, "%s", reason->message);
  return TRUE;
}

gboolean
srgan_convert_write (SrganNetwork *network, const gchar *path,
    const SrganWriteOptions *options, GError **error)
{
  g_autofree gchar *shown = g_filename_display_name (path);
  g_autoptr (GBytes) bytes = NULL;
  SrganTarget target = options->target;

  if (target == SRGAN_TARGET_AUTO)
    target = srgan_target_from_path (path);
  if (target == SRGAN_TARGET_AUTO)
    return srgan_convert_fail (error, SRGAN_ERROR_INVALID,
        "%s: its ending, none of .safetensors, .onnx and .rsr, does not say "
        "what to write",
        shown);
  if (options->half && !targets[target].can_halve)
    return srgan_convert_unsupported (
        error, "%s: .rsr has no half precision, see --quantise", shown);
  if (options->quantise && !targets[target].can_quantise)
    return srgan_convert_unsupported (
        error, "%s: only .rsr is quantised", shown);
  if (targets[target].write == NULL)
    return options->half ? srgan_network_save_half (network, path, error)
                         : srgan_network_save (network, path, error);
  if (!options->half || srgan_network_check_half (network, error))
    bytes = targets[target].write (network, options, error);
  if (bytes == NULL && targets[target].has_layout && error != NULL &&
      srgan_network_get_note (network, "dropped-channels") != NULL) {
    g_autofree gchar *reason = g_steal_pointer (&(*error)->message);

    (*error)->message = g_strdup_printf (
        "%s. Or: channels that did nothing were dropped from this network, "
        "which its layout here may not lack; convert the file that it came "
        "from straight to this format",
        reason);
  }
  if (bytes == NULL) {
    g_prefix_error (error, "%s: ", shown);
    return FALSE;
  }
  return save (bytes, path, error);
}
