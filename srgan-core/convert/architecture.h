/* convert: architectures told from the names and shapes of tensors.
 *
 * A state dict has no graph: the table in architecture.c knows families of
 * networks, each of any width, depth and scale. To add one: a row there, with a
 * function in one of the architecture-*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/reader.h"

G_BEGIN_DECLS

/* Builds the network whose tensors @set holds. @file_name (nullable) is looked
 * at for a scale ("x2", "4x") where the weights do not tell it. The error names
 * the tensors that were not understood, and what could be done. */
SRGAN_API
SrganNetwork *srgan_architecture_build (SrganTensorSet *set,
    const gchar *file_name, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error);

G_END_DECLS
