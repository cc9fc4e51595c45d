/* srgan-convert: networks out of the files that other programs write, and into
 * them.
 *
 * A library of its own beside srgan-core, for the programs that handle model
 * files; what plays video needs srgan-core alone, and reads our own format
 * only.
 *
 * Model files come from strangers: nothing in one is ever executed, every
 * number is checked before it is used, what reading may take in memory is
 * bounded, and no name in a file leads out of the folder that the file lies in.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* The values that a model takes and gives. Nicks: auto, 0-1, 0-255. */
typedef enum {
  SRGAN_RANGE_AUTO, /* what is known of the model, else 0-1 */
  SRGAN_RANGE_ONE,  /* 0 .. 1 */
  SRGAN_RANGE_CODE, /* 0 .. 255 */
  SRGAN_N_RANGES,
} SrganRange;

/* The order of a model's channels. Nicks: auto, rgb, bgr, y. */
typedef enum {
  SRGAN_ORDER_AUTO, /* what is known of the model, else rgb, or y of one */
  SRGAN_ORDER_RGB,
  SRGAN_ORDER_BGR,
  SRGAN_ORDER_Y, /* luma alone */
  SRGAN_N_ORDERS,
} SrganOrder;

SRGAN_API
const gchar *srgan_range_to_string (SrganRange range);
SRGAN_API
const gchar *srgan_order_to_string (SrganOrder order);

/**
 * SrganConvertOptions:
 *
 * What the caller knows of a model better than its file does. Zero it first;
 * what stays zero is worked out.
 */
typedef struct {
  guint scale; /* 1 .. 4; 0: what the weights or the file's name say */
  SrganRange range;
  SrganOrder order;
  const gchar *architecture; /* a name of srgan_convert_list_architectures(),
                                or %NULL */
  gboolean features; /* a network that judges pictures, a classifier say, of a
                        file that holds its graph: what follows its last map is
                        cut off, and srgan_network_gives_features() is true */
  const gchar *feature_layers; /* features: the layers that are compared, with
                                  ; between, for the note "features"; what
                                  follows the last of them is cut off too.
                                  %NULL: no note */
  gdouble mean[3]; /* features: what the model wants subtracted of each of its
                      channels, in its own order and range */
  gboolean keep_channels; /* also those that do nothing, which else are
                             dropped: for writing a format in which a
                             network has one layout, see
                             srgan_target_has_layout() */
} SrganConvertOptions;

/**
 * SrganConvertReport:
 *
 * What was found in a file and done about it. Zero it first; strings are owned
 * by it. After a failure it tells how far reading came.
 */
typedef struct {
  gchar *format;       /* "PyTorch, zip archive" */
  gchar *architecture; /* "SRVGGNetCompact, 64 channels, 16 layers"; %NULL where
                          the file's own graph was followed */
  gchar *range;        /* "0-1", "0-255", "-1-1" or both ends: "0-1 to -1-1" */
  gchar *order;        /* "rgb", "bgr", "y", "ycbcr" */
  gchar *licence;      /* what the file says of it, or %NULL */
  GPtrArray *remarks;  /* of gchar *: what was folded, dropped or assumed; %NULL
                          for none */
} SrganConvertReport;

SRGAN_API
void srgan_convert_report_clear (SrganConvertReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (
    SrganConvertReport, srgan_convert_report_clear)

/**
 * srgan_convert_read:
 * @path: a model file, or a folder that is one model (a TensorFlow SavedModel)
 * @options: (nullable): what is known of it
 * @report: (nullable): filled in, also on failure
 *
 * Reads a model of any format that srgan_convert_list_formats() names, which is
 * told from the content. Our own is among them.
 *
 * Returns: (transfer full): the network, or %NULL with @error set, naming the
 *   file and what in it: %SRGAN_ERROR_CORRUPT, %SRGAN_ERROR_UNSUPPORTED (also
 *   for a file that asks for code to be run), %SRGAN_ERROR_INVALID for an
 *   option that contradicts the file
 */
SRGAN_API
SrganNetwork *srgan_convert_read (const gchar *path,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

/* Whether some reader knows @path's content: for listing a folder's models. */
SRGAN_API
gboolean srgan_convert_can_read (const gchar *path);

/**
 * SrganFormat:
 *
 * A row of what can be read or written.
 */
typedef struct {
  const gchar *name;        /* "pytorch" */
  const gchar *description; /* "PyTorch .pth .pt .ckpt: zip, legacy pickle" */
} SrganFormat;

/* The formats read, in the order in which they are tried; ends with a row of
 * %NULLs. Owned by the library. */
SRGAN_API
const SrganFormat *srgan_convert_list_formats (void);

/* The architectures that are told from the names and shapes of a file's
 * tensors; likewise. */
SRGAN_API
const SrganFormat *srgan_convert_list_architectures (void);

/* How a file is written. */
typedef enum {
  SRGAN_TARGET_AUTO,    /* by the path's ending */
  SRGAN_TARGET_SRGAN,   /* our own .safetensors */
  SRGAN_TARGET_PYTORCH, /* .safetensors as a PyTorch state dict */
  SRGAN_TARGET_ONNX,    /* .onnx, opset 17, any height and width */
  SRGAN_TARGET_RSR,     /* .rsr, for networks of the original's kind */
  SRGAN_N_TARGETS,
} SrganTarget;

SRGAN_API
const gchar *srgan_target_to_string (SrganTarget target);
/* What %SRGAN_TARGET_AUTO stands for with @path; itself where the ending does
 * not tell. */
SRGAN_API
SrganTarget srgan_target_from_path (const gchar *path);

/* Whether networks have one layout in it (.rsr, a PyTorch state dict), so that
 * one that lacks some channels cannot be written. */
SRGAN_API
gboolean srgan_target_has_layout (SrganTarget target);

/**
 * SrganWriteOptions:
 *
 * Zero it first.
 */
typedef struct {
  SrganTarget target;
  gboolean half;     /* weights as IEEE 754 binary16, where the format can */
  gboolean quantise; /* the low 12 bits of each weight's fraction zeroed, as
                        the original does: they compress to nothing */
} SrganWriteOptions;

/* Writes @network under a temporary name and renames it; a failure leaves
 * nothing behind. %SRGAN_ERROR_UNSUPPORTED names the layer that the format has
 * no word for. */
SRGAN_API
gboolean srgan_convert_write (SrganNetwork *network, const gchar *path,
    const SrganWriteOptions *options, GError **error);

/**
 * SrganCalibration:
 *
 * A picture small and large, planar, [channel][y][x], in a network's colours
 * and values.
 */
typedef struct {
  guint width; /* of the input */
  guint height;
  const gfloat *input;
  const gfloat *target; /* the network's scale times as wide and high */
} SrganCalibration;

/* @done: 0 .. 1. Returns: whether to go on. */
typedef gboolean (*SrganQuantiseFunc) (gdouble done, gpointer user_data);

/**
 * srgan_convert_quantise:
 * @network: a chain of convolutions, with sums and pixel shuffles or without
 * @samples: at least 3; the last third is held back to measure the loss
 * @search: whether to search, layer by layer, for the ranges that lose least;
 *   else all that was seen counts, which takes a moment instead of minutes
 * @progress: (nullable) (scope call)
 * @loss: (out): dB of PSNR lost on the samples held back
 *
 * Makes @network ready for int8: the same weights for fp32, and beside them
 * steps, zeros, codes and biases that lose least on @samples. The note
 * "int8-loss" tells what was measured, "bf16-loss" what bfloat16 loses.
 *
 * Returns: (transfer full): the network, or %NULL with @error set:
 *   %SRGAN_ERROR_UNSUPPORTED names the layer that cannot be calibrated,
 *   %SRGAN_ERROR_CANCELLED is @progress' wish
 */
SRGAN_API
SrganNetwork *srgan_convert_quantise (SrganNetwork *network,
    const SrganCalibration *samples, guint n_samples, gboolean search,
    SrganQuantiseFunc progress, gpointer user_data, gdouble *loss,
    GError **error);

G_END_DECLS
