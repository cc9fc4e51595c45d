/* convert: the formats that are written; write.c calls these.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-convert.h>

G_BEGIN_DECLS

/* Each gives the file's bytes, or %NULL with @error set, naming the layer that
 * the format has no word for. */
GBytes *srgan_write_onnx (
    SrganNetwork *network, const SrganWriteOptions *options, GError **error);
GBytes *srgan_write_rsr (
    SrganNetwork *network, const SrganWriteOptions *options, GError **error);
GBytes *srgan_write_pytorch (
    SrganNetwork *network, const SrganWriteOptions *options, GError **error);

G_END_DECLS
