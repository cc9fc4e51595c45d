/* srgan-core: plans: a network made ready for one frame size and pixel layout.
 *
 * Everything that allocates happens in srgan_plan_new(); srgan_plan_run()
 * reads mapped components and writes mapped components, and allocates nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

#define SRGAN_MAX_COMPONENTS 4

/* The largest frame side, in or out, in pixels. */
#define SRGAN_MAX_SIZE 32767

typedef enum {
  SRGAN_LAYOUT_GRAY,   /* component 0: Y */
  SRGAN_LAYOUT_YUV,    /* components 0 .. 2: Y, Cb, Cr */
  SRGAN_LAYOUT_RGB,    /* components 0 .. 2: R, G, B */
  SRGAN_LAYOUT_TENSOR, /* what the network itself takes and gives, one planar
                          component a channel, float: no conversion, nothing
                          clipped, nothing padded or cut off (see
                          srgan_plan_get_output_size()). The other fields of the
                          layout are not looked at */
} SrganLayoutKind;

typedef enum {
  SRGAN_SAMPLE_UINT8,
  SRGAN_SAMPLE_FLOAT, /* native float; 1.0 is 255 of the 8-bit code, and
                         nothing is clipped; planar only: for tests and for
                         other engines */
} SrganSample;

/* What component 3 is. */
typedef enum {
  SRGAN_FOURTH_NONE,
  SRGAN_FOURTH_ALPHA,  /* scaled like chroma is, never dropped */
  SRGAN_FOURTH_FILLER, /* the x of RGBx: written as all ones */
} SrganFourth;

/**
 * SrganLayout:
 *
 * How the samples of a frame lie. Components may share a plane (NV12, RGBA):
 * each is described by its own first sample, see #SrganFrame.
 */
typedef struct {
  SrganLayoutKind kind;
  SrganSample sample;
  SrganFourth fourth;
  /* From one sample of the component to the next, in samples: 1 planar, 2 in
   * NV12's chroma, 3 and 4 in packed RGB. */
  guint pixel_stride[SRGAN_MAX_COMPONENTS];
  /* Chroma subsampling as shifts: 4:2:0 is 1 and 1. Only for YUV. */
  guint chroma_width_shift;
  guint chroma_height_shift;
  /* Chroma siting: TRUE when a chroma sample lies on a luma sample (MPEG-2:
   * horizontally; DV and BT.2020 "top left": both), FALSE when it lies halfway
   * between two. */
  gboolean chroma_cosited_x;
  gboolean chroma_cosited_y;
  /* Luma weights of red and blue of the matrix between R'G'B' and Y'CbCr
   * (BT.601: .299 and .114; BT.709: .2126 and .0722). For RGB frames: the
   * matrix that a luma network's Y is made with. */
  gdouble matrix_kr;
  gdouble matrix_kb;
  /* TRUE: Y' 0 .. 255, chroma 0 .. 255; FALSE: 16 .. 235, 16 .. 240. For RGB:
   * TRUE 0 .. 255, FALSE 16 .. 235. */
  gboolean full_range;
} SrganLayout;

/**
 * SrganFrame:
 *
 * A mapped frame: where the first sample of each component is and how many
 * bytes lie between two rows of it.
 */
typedef struct {
  gpointer component[SRGAN_MAX_COMPONENTS];
  gsize stride[SRGAN_MAX_COMPONENTS];
} SrganFrame;

/**
 * SrganPlanSettings:
 *
 * What a plan is made for. Zero it first; what stays zero is the default.
 */
typedef struct {
  guint width; /* of the input, 1 .. SRGAN_MAX_SIZE / scale */
  guint height;
  SrganLayout layout; /* of input and output alike */
  guint n_threads;    /* 0: the CPUs that this process may use */
  /* AUTO: INT8 where the network says that it loses at most 0.1 dB by it and
   * this CPU's kernels are faster; else BF16 where it loses at most 0.02 dB and
   * the CPU has AMX's tiles for it; else FP32. Asked for by name, BF16 runs
   * everywhere, but is slower than FP32 without tiles. */
  SrganPrecision precision;
  /* Keep the last frame, as it came in and as it went out, and compute only
   * what may have changed since: the output is the same bit for bit. Costs
   * memory (#SrganPlanReport.kept_bytes), and next to no time where nothing
   * repeats. Needs samples without gaps: where bytes lie between them that
   * belong to no component, every frame is computed whole. */
  gboolean reuse;
  /* For tests: input pixels per tile and side; 0: chosen for the caches. The
   * output does not depend on it. */
  guint tile_width;
  guint tile_height;
} SrganPlanSettings;

/**
 * SrganPlanReport:
 *
 * What a plan has decided.
 */
typedef struct {
  const gchar *kernels; /* the kernel set: "c", "avx2", "avx512", ... */
  guint n_threads;
  guint tile_width; /* input pixels */
  guint tile_height;
  gsize workspace_bytes;    /* all threads' working memory together */
  gsize kept_bytes;         /* frames kept for reuse, beside that */
  gsize weight_bytes;       /* packed weights, shared between plans */
  gdouble multiply_adds;    /* the network's for one frame, nothing counted
                               twice */
  SrganPrecision precision; /* never AUTO */
} SrganPlanReport;

/**
 * SrganLayerReport:
 *
 * How a plan runs one layer. Strings belong to the network or are constants.
 */
typedef struct {
  const gchar *name; /* the layer's */
  SrganOperation operation;
  /* Of a convolution "direct", "winograd", "int8", "bf16" or "parts": a large
   * kernel as 3x3 ones by Winograd's. "rows": any other operation, row by row;
   * "fused": another stage does it as well. */
  const gchar *algorithm;
  SrganPrecision precision; /* of its arithmetic */
  gdouble multiply_adds;    /* for one frame, nothing counted twice */
  /* Of a convolution in fp32: what the engine's model expects each algorithm to
   * cost, in vector multiply-adds an output pixel; negative: cannot be. */
  gdouble direct_cost;
  gdouble winograd_cost;
  gdouble parts_cost;
  guint ring_rows;  /* rows of its map that a tile keeps */
  gsize ring_bytes; /* and their bytes */
} SrganLayerReport;

typedef struct _SrganPlan SrganPlan;

/**
 * srgan_plan_new:
 * @network: a finished network; the plan holds a reference
 * @settings: what for; copied
 *
 * Returns: (transfer full): a plan that one thread at a time may run, or %NULL
 *   with @error set: %SRGAN_ERROR_UNSUPPORTED names the layer that cannot be
 *   run, %SRGAN_ERROR_TOO_LARGE the size
 */
SRGAN_API
SrganPlan *srgan_plan_new (
    SrganNetwork *network, const SrganPlanSettings *settings, GError **error);
SRGAN_API
void srgan_plan_free (SrganPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganPlan, srgan_plan_free)

/**
 * srgan_plan_get_output_size:
 *
 * The size of srgan_plan_run()'s output: scale times the input's, whatever the
 * network. Where the network itself would give less, because convolutions
 * without padding or crops take the edges away, the frame is enlarged by
 * repeating its edge pixels, and so it is, on the right and below, up to a size
 * that the network can take, if it reduces its maps by whole factors; what is
 * more than scale times the frame is cut off. For %SRGAN_LAYOUT_TENSOR it is
 * what the network gives.
 */
SRGAN_API
void srgan_plan_get_output_size (SrganPlan *plan, guint *width, guint *height);

/**
 * srgan_plan_run:
 * @input: width x height, in the plan's layout
 * @output: scale times as large, in the same layout; must not overlap @input;
 *   is never read
 *
 * Runs the network on one frame: no allocation, no lock shared with another
 * plan, the same bits for any number of threads and any tile size. A plan with
 * #SrganPlanSettings.reuse compares @input with the frame before it; neither
 * frame is looked at once this returns.
 */
SRGAN_API
void srgan_plan_run (
    SrganPlan *plan, const SrganFrame *input, const SrganFrame *output);

/**
 * srgan_plan_get_reused:
 *
 * Returns: how much of the last frame was the same as in the frame before it
 *   and has not been computed again: 0 (nothing) .. 1 (all)
 */
SRGAN_API
gdouble srgan_plan_get_reused (SrganPlan *plan);

SRGAN_API
void srgan_plan_get_report (SrganPlan *plan, SrganPlanReport *report);

/**
 * srgan_plan_get_layer_report:
 * @index: a layer of the plan's network
 *
 * Returns: %FALSE, with @report zeroed, when there is no such layer
 */
SRGAN_API
gboolean srgan_plan_get_layer_report (
    SrganPlan *plan, guint index, SrganLayerReport *report);

/**
 * srgan_network_run_tensor:
 * @input: [channel][y][x], of 1 (luma) or 3 channels, in the network's values
 * @n_threads: 0: the CPUs that this process may use
 * @out_width: (out): of the output
 * @out_height: (out): likewise
 *
 * Runs the network alone, in fp32, for tests and converters: a plan for
 * %SRGAN_LAYOUT_TENSOR, used once.
 *
 * Returns: (transfer full): the output, [channel][y][x], free with g_free();
 *   %NULL with @error set as by srgan_plan_new(), for a size, too, that the
 *   network does not take
 */
SRGAN_API
gfloat *srgan_network_run_tensor (SrganNetwork *network, const gfloat *input,
    guint width, guint height, guint n_threads, guint *out_width,
    guint *out_height, GError **error);

/* CPUs that this process may use: its affinity mask and cgroup quota,
 * at least 1. */
SRGAN_API
guint srgan_engine_get_n_cpus (void);

G_END_DECLS
