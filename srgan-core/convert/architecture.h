/* convert: architectures told from the names and shapes of tensors.
 *
 * A state dict has no graph: the table in architecture.c knows families of
 * networks, each of any width, depth and scale. To add one: a row there, with
 * its two functions in one of the architecture-*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/build.h"

G_BEGIN_DECLS

typedef struct {
  const gchar *name;
  const gchar *description;
  /* Whether names and shapes are this family's; cheap. */
  gboolean (*match) (SrganBuild *build);
  /* Builds it, begun with srgan_build_start(); returns the last layer. */
  gint (*build) (SrganBuild *build);
} SrganArchitecture;

/* Builds the network whose tensors @set holds. @file_name (nullable) is looked
 * at for a scale ("x2", "4x") where the weights do not tell it. The error names
 * the tensors that were not understood, and what could be done. */
SRGAN_API
SrganNetwork *srgan_architecture_build (SrganTensorSet *set,
    const gchar *file_name, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error);

/* --- The families ----------------------------------------------------------
 */

/* architecture-plain.c: chains of convolutions */
gboolean srgan_match_srvggnet (SrganBuild *build);
gint srgan_build_srvggnet (SrganBuild *build);
gboolean srgan_match_backbone (SrganBuild *build);
gint srgan_build_backbone (SrganBuild *build);
gboolean srgan_match_etds (SrganBuild *build);
gint srgan_build_etds (SrganBuild *build);
gboolean srgan_match_espcn (SrganBuild *build);
gint srgan_build_espcn (SrganBuild *build);
gboolean srgan_match_fsrcnn (SrganBuild *build);
gint srgan_build_fsrcnn (SrganBuild *build);
gboolean srgan_match_srcnn (SrganBuild *build);
gint srgan_build_srcnn (SrganBuild *build);
gboolean srgan_match_dncnn (SrganBuild *build);
gint srgan_build_dncnn (SrganBuild *build);
gboolean srgan_match_vdsr (SrganBuild *build);
gint srgan_build_vdsr (SrganBuild *build);
gboolean srgan_match_waifu2x (SrganBuild *build);
gint srgan_build_waifu2x (SrganBuild *build);

/* architecture-residual.c: residual blocks */
gboolean srgan_match_rrdbnet (SrganBuild *build);
gint srgan_build_rrdbnet (SrganBuild *build);
gboolean srgan_match_edsr (SrganBuild *build);
gint srgan_build_edsr (SrganBuild *build);
gboolean srgan_match_rcan (SrganBuild *build);
gint srgan_build_rcan (SrganBuild *build);
gboolean srgan_match_msrresnet (SrganBuild *build);
gint srgan_build_msrresnet (SrganBuild *build);
gboolean srgan_match_srresnet (SrganBuild *build);
gint srgan_build_srresnet (SrganBuild *build);
gboolean srgan_match_fast_srgan (SrganBuild *build);
gint srgan_build_fast_srgan (SrganBuild *build);

/* architecture-light.c: distillation and attention */
gboolean srgan_match_imdn (SrganBuild *build);
gint srgan_build_imdn (SrganBuild *build);
gboolean srgan_match_rfdn (SrganBuild *build);
gint srgan_build_rfdn (SrganBuild *build);
gboolean srgan_match_rlfn (SrganBuild *build);
gint srgan_build_rlfn (SrganBuild *build);
gboolean srgan_match_span (SrganBuild *build);
gint srgan_build_span (SrganBuild *build);

G_END_DECLS
