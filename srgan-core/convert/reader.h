/* convert: the formats that are read: one table, in reader.c.
 *
 * To add one: a file with a detect and a read function, declared here, and a
 * row in the table.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/source.h"
#include "convert/tensor.h"

#include <srgan/srgan-convert.h>

G_BEGIN_DECLS

/* Whether @source's content is of this format: cheap, never by its name. */
typedef gboolean (*SrganDetect) (SrganSource *source);

/* Makes a network of @source. @options is never %NULL and @report neither;
 * report->format is set already to the row's description and may be replaced.
 * Errors need not name the file: the caller does. Notes are the caller's, too.
 */
typedef SrganNetwork *(*SrganRead) (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

typedef struct {
  const gchar *name;
  const gchar *description;
  SrganDetect detect;
  SrganRead read;
} SrganReader;

/* The reader that knows @source, or %NULL. */
SRGAN_API
const SrganReader *srgan_reader_find (SrganSource *source);
/* All, ends with a row of %NULLs. */
SRGAN_API
const SrganReader *srgan_reader_list (void);
/* What srgan_convert_read() does, of a source. */
SRGAN_API
SrganNetwork *srgan_reader_read (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

/* Notes in @network what the report says and finishes it. */
SRGAN_API
gboolean srgan_reader_finish (
    SrganNetwork *network, SrganConvertReport *report, GError **error);

/* Adds a line to report->remarks. */
SRGAN_API
void srgan_report_remark (SrganConvertReport *report, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);

/* Sets @error; returns FALSE. */
SRGAN_API
gboolean srgan_convert_fail (GError **error, SrganError code,
    const gchar *format, ...) G_GNUC_PRINTF (3, 4);
#define srgan_convert_corrupt(error, ...) \
  srgan_convert_fail (error, SRGAN_ERROR_CORRUPT, __VA_ARGS__)
#define srgan_convert_unsupported(error, ...) \
  srgan_convert_fail (error, SRGAN_ERROR_UNSUPPORTED, __VA_ARGS__)

/* What a message may show of a file's text: at most 60 bytes, printable. */
SRGAN_API
gchar *srgan_convert_quote (const gchar *text, gssize length);

/* --- The readers, in order of the table --------------------------------- */

gboolean srgan_detect_rsr (SrganSource *source);
SrganNetwork *srgan_read_rsr (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_pytorch_zip (SrganSource *source);
SrganNetwork *srgan_read_pytorch_zip (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_pytorch_legacy (SrganSource *source);
SrganNetwork *srgan_read_pytorch_legacy (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_safetensors (SrganSource *source);
SrganNetwork *srgan_read_safetensors (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_keras_h5 (SrganSource *source);
SrganNetwork *srgan_read_keras_h5 (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_keras_zip (SrganSource *source);
SrganNetwork *srgan_read_keras_zip (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_onnx (SrganSource *source);
SrganNetwork *srgan_read_onnx (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_ncnn (SrganSource *source);
SrganNetwork *srgan_read_ncnn (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_tensorflow_js (SrganSource *source);
SrganNetwork *srgan_read_tensorflow_js (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_waifu2x (SrganSource *source);
SrganNetwork *srgan_read_waifu2x (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_shader (SrganSource *source);
SrganNetwork *srgan_read_shader (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_tensorflow (SrganSource *source);
SrganNetwork *srgan_read_tensorflow (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_saved_model (SrganSource *source);
SrganNetwork *srgan_read_saved_model (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_checkpoint (SrganSource *source);
SrganNetwork *srgan_read_checkpoint (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

gboolean srgan_detect_tflite (SrganSource *source);
SrganNetwork *srgan_read_tflite (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

G_END_DECLS
