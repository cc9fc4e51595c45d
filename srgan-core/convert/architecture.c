/* convert: architectures told from the names and shapes of tensors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"

#include <string.h>

/* The more particular first: what any chain of convolutions could be, last. */
static const SrganArchitecture architectures[] = {
    {"rrdbnet", "RRDBNet (ESRGAN, Real-ESRGAN), old and new names",
        srgan_match_rrdbnet, srgan_build_rrdbnet},
    {"rcan", "RCAN", srgan_match_rcan, srgan_build_rcan},
    {"edsr", "EDSR", srgan_match_edsr, srgan_build_edsr},
    {"msrresnet", "MSRResNet (BasicSR's SRResNet, without batch norm)",
        srgan_match_msrresnet, srgan_build_msrresnet},
    {"srresnet", "SRResNet (SRGAN's generator)", srgan_match_srresnet,
        srgan_build_srresnet},
    {"fast-srgan", "Fast-SRGAN", srgan_match_fast_srgan,
        srgan_build_fast_srgan},
    {"span", "SPAN", srgan_match_span, srgan_build_span},
    {"rlfn", "RLFN", srgan_match_rlfn, srgan_build_rlfn},
    {"rfdn", "RFDN", srgan_match_rfdn, srgan_build_rfdn},
    {"imdn", "IMDN", srgan_match_imdn, srgan_build_imdn},
    {"srvggnet", "SRVGGNetCompact (Real-ESRGAN's video models)",
        srgan_match_srvggnet, srgan_build_srvggnet},
    {"ecbsr", "ECBSR and ABPN, folded or as trained", srgan_match_backbone,
        srgan_build_backbone},
    {"etds", "ETDS, folded or as trained", srgan_match_etds, srgan_build_etds},
    {"fsrcnn", "FSRCNN", srgan_match_fsrcnn, srgan_build_fsrcnn},
    {"espcn", "ESPCN", srgan_match_espcn, srgan_build_espcn},
    {"srcnn", "SRCNN", srgan_match_srcnn, srgan_build_srcnn},
    {"vdsr", "VDSR", srgan_match_vdsr, srgan_build_vdsr},
    {"waifu2x", "waifu2x: vgg7 and upconv_7", srgan_match_waifu2x,
        srgan_build_waifu2x},
    {"dncnn", "DnCNN", srgan_match_dncnn, srgan_build_dncnn},
};

const SrganFormat *
srgan_convert_list_architectures (void)
{
  static SrganFormat formats[G_N_ELEMENTS (architectures) + 1];
  static gsize filled;

  if (g_once_init_enter (&filled)) {
    for (guint i = 0; i < G_N_ELEMENTS (architectures); i++) {
      formats[i].name = architectures[i].name;
      formats[i].description = architectures[i].description;
    }
    g_once_init_leave (&filled, 1);
  }
  return formats;
}

/* --- Prefixes ---------------------------------------------------------------
 */

/* Names under which a file keeps one of several networks; the first that is
 * there is taken. */
static const gchar *const holders[] = {"params_ema.", "ema.", "g_ema.",
    "model_ema.", "netG.", "net_g.", "generator.", "G.", "gen.", "model_g.",
    "params.", "state_dict.", "model.", "module.", "network.", "net.",
    "_orig_mod."};

static gboolean
has_prefix (SrganTensorSet *set, const gchar *prefix, gboolean all)
{
  gboolean any = FALSE;

  for (guint i = 0; i < set->tensors->len; i++) {
    const SrganNamedTensor *tensor = g_ptr_array_index (set->tensors, i);
    gboolean has = g_str_has_prefix (tensor->name, prefix);

    any |= has;
    if (all && !has)
      return FALSE;
  }
  return any;
}

/* What may stand before the architecture's own names: nothing, what all names
 * have in common, or one of the holders. */
static GPtrArray *
list_prefixes (SrganTensorSet *set)
{
  GPtrArray *prefixes = g_ptr_array_new_with_free_func (g_free);
  const SrganNamedTensor *first = g_ptr_array_index (set->tensors, 0);

  g_ptr_array_add (prefixes, g_strdup (""));
  for (const gchar *dot = strchr (first->name, '.'); dot != NULL;
       dot = strchr (dot + 1, '.')) {
    g_autofree gchar *prefix =
        g_strndup (first->name, (gsize) (dot + 1 - first->name));

    if (!has_prefix (set, prefix, TRUE))
      break;
    g_ptr_array_add (prefixes, g_steal_pointer (&prefix));
  }
  /* and one within another: "model.generator." */
  for (guint i = 0; i < prefixes->len && prefixes->len < 64; i++)
    for (guint j = 0; j < G_N_ELEMENTS (holders); j++) {
      g_autofree gchar *prefix =
          g_strconcat (g_ptr_array_index (prefixes, i), holders[j], NULL);

      if (has_prefix (set, prefix, FALSE) &&
          !g_ptr_array_find_with_equal_func (
              prefixes, prefix, g_str_equal, NULL))
        g_ptr_array_add (prefixes, g_steal_pointer (&prefix));
    }
  return prefixes;
}

/* --- Building
 * ----------------------------------------------------------------- */

static gchar *
list_names (
    SrganTensorSet *set, const gchar *prefix, GPtrArray *ignored, guint *n)
{
  GString *text = g_string_new (NULL);

  *n = 0;
  for (guint i = 0; i < set->tensors->len; i++) {
    const SrganNamedTensor *tensor = g_ptr_array_index (set->tensors, i);
    g_autofree gchar *quoted = NULL, *shape = NULL;
    gboolean skipped = tensor->used || !g_str_has_prefix (tensor->name, prefix);

    for (guint j = 0; ignored != NULL && j < ignored->len && !skipped; j++)
      skipped =
          g_pattern_match_simple (g_ptr_array_index (ignored, j), tensor->name);
    if (skipped)
      continue;
    if (++*n > 5)
      continue;
    quoted = srgan_convert_quote (tensor->name, -1);
    shape = srgan_named_tensor_format_shape (tensor);
    g_string_append_printf (
        text, "%s%s (%s)", *n > 1 ? ", " : "", quoted, shape);
  }
  if (*n > 5)
    g_string_append_printf (text, " and %u more", *n - 5);
  return g_string_free (text, FALSE);
}

static SrganNetwork *
build (
    SrganBuild *build_, const SrganArchitecture *architecture, GError **error)
{
  static const gchar *const always_ignored[] = {"*num_batches_tracked",
      "*.total_ops", "*.total_params", "total_ops", "total_params"};
  g_autofree gchar *names = NULL;
  SrganNetwork *network;
  guint n = 0;
  gint last;

  for (guint i = 0; i < G_N_ELEMENTS (always_ignored); i++)
    srgan_build_ignore (build_, always_ignored[i]);
  last = architecture->build (build_);
  names = list_names (build_->set, build_->prefix, build_->ignored, &n);
  if (n > 0)
    srgan_build_fail (build_,
        "%u of its tensors were not understood: %s. If it is a variant of this "
        "architecture, export it to ONNX and convert that",
        n, names);
  network = srgan_build_finish (build_, last, error);
  if (network == NULL) {
    g_prefix_error (error, "%s: ", architecture->name);
    return NULL;
  }
  if (*build_->prefix != '\0' &&
      !has_prefix (build_->set, build_->prefix, TRUE)) {
    g_autofree gchar *quoted = srgan_convert_quote (build_->prefix, -1);

    srgan_report_remark (build_->report,
        "of the file's tensors, those of '%s' were taken", quoted);
  }
  return network;
}

/* What tells a transformer from all that is convolutions. */
static gboolean
is_transformer (SrganTensorSet *set)
{
  static const gchar *const patterns[] = {"*relative_position_bias_table*",
      "*relative_position_index*", "*attn.qkv*", "*.qkv.weight", "*self_attn*",
      "*.attn.proj.weight", "*attn.logit_scale*", "*absolute_pos_embed*",
      "*attention.q*", "*.to_qkv*"};

  for (guint i = 0; i < set->tensors->len; i++)
    for (guint j = 0; j < G_N_ELEMENTS (patterns); j++)
      if (g_pattern_match_simple (patterns[j],
              ((SrganNamedTensor *) g_ptr_array_index (set->tensors, i))->name))
        return TRUE;
  return FALSE;
}

SrganNetwork *
srgan_architecture_build (SrganTensorSet *set, const gchar *file_name,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  g_autoptr (GPtrArray) prefixes = NULL;
  g_autoptr (SrganBuild) attempt = NULL;
  g_autofree gchar *names = NULL;
  const SrganArchitecture *wanted = NULL;
  guint n;

  if (options->architecture != NULL) {
    for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
      if (g_str_equal (architectures[i].name, options->architecture))
        wanted = &architectures[i];
    if (wanted == NULL) {
      srgan_convert_fail (error, SRGAN_ERROR_INVALID,
          "--arch '%s' is not known; srgan-convert --formats lists what is",
          options->architecture);
      return NULL;
    }
  }
  if (set->tensors->len == 0) {
    srgan_convert_unsupported (error, "there is no tensor in it");
    return NULL;
  }
  if (wanted == NULL && is_transformer (set)) {
    report->architecture = g_strdup ("a transformer");
    srgan_convert_unsupported (error,
        "a transformer (SwinIR, HAT, DAT, ATD or like): its attention over "
        "windows is no convolution, and far from real time on a CPU; take a "
        "convolutional model, say SRVGGNetCompact, SPAN or RRDBNet");
    return NULL;
  }
  prefixes = list_prefixes (set);
  attempt = srgan_build_new (set, file_name, options, report);
  for (guint i = 0; i < prefixes->len; i++)
    for (guint j = 0; j < G_N_ELEMENTS (architectures); j++) {
      attempt->prefix = g_ptr_array_index (prefixes, i);
      if ((wanted == NULL || wanted == &architectures[j]) &&
          architectures[j].match (attempt))
        return build (attempt, &architectures[j], error);
    }
  if (wanted != NULL) {
    attempt->prefix = "";
    return build (attempt, wanted, error);
  }
  names = list_names (set, "", NULL, &n);
  srgan_convert_unsupported (error,
      "its architecture was not recognised from its %u tensors: %s. What could "
      "be done: export the model to ONNX with PyTorch (torch.onnx.export), "
      "which says how they are connected, and convert that; or name a known "
      "architecture with --arch (--formats lists them)",
      set->tensors->len, names);
  return NULL;
}
