/* train: every setting of a training run, and their one table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/recipe.h"

#include <errno.h>
#include <math.h>
#include <string.h>

typedef enum {
  VALUE_TEXT,    /* gchar * */
  VALUE_COUNT,   /* guint, within the limits */
  VALUE_NUMBER,  /* gdouble, within the limits */
  VALUE_RANGE,   /* gdouble[2], low;high, within the limits */
  VALUE_COUNTS,  /* the same, of whole numbers */
  VALUE_BOOLEAN, /* gboolean */
  VALUE_CHOICE,  /* guint: the index of a choice */
  VALUE_CHOICES, /* guint: 1 << index of each of some choices */
} ValueKind;

typedef struct {
  const gchar *group;
  const gchar *key;
  ValueKind kind;
  gsize offset;
  gdouble low, high;           /* limits of a number */
  const gchar *const *choices; /* NULL-terminated */
  const gchar *initial;        /* as a key file spells it */
  const gchar *help;
} Setting;

static const gchar *const activations[] = {"relu", "leaky-relu", "prelu", NULL};
static const gchar *const skips[] = {
    "nearest", "bilinear", "bicubic", "none", NULL};
static const gchar *const downscales[] = {"bicubic", "box", "bicubic-linear",
    "box-linear", "bilinear", "lanczos", "bilinear-linear", "lanczos-linear",
    NULL};
static const gchar *const x264_presets[] = {"ultrafast", "superfast",
    "veryfast", "faster", "fast", "medium", "slow", NULL};
static const gchar *const filters[] = {"bicubic", "bilinear", "box", NULL};
static const gchar *const losses[] = {
    "l1", "charbonnier", "l2", "original-l1", "original-l2", NULL};
static const gchar *const designs[] = {"chain", "srresnet", NULL};
static const gchar *const blocks[] = {"plain", "ecb", NULL};
static const gchar *const colours[] = {"y", "rgb", NULL};
static const gchar *const turns[] = {
    "horizontal", "vertical", "rotation", NULL};
static const gchar *const discriminators[] = {"srgan", "patch", "unet", NULL};
static const gchar *const forms[] = {"standard", "relativistic", NULL};
static const gchar *const feature_forms[] = {"energy", "direction", NULL};
static const gchar *const optimizers[] = {"adam", "soap", NULL};
static const gchar *const precisions[] = {"fp32", "int8", "bf16", NULL};

#define FIELD(name) G_STRUCT_OFFSET (SrganRecipe, name)

static const Setting settings[] = {
    {"network", "name", VALUE_TEXT, FIELD (name), 0, 0, NULL, "fast-clean-x2",
        "what the model file calls itself"},
    {"network", "design", VALUE_CHOICE, FIELD (design), 0, 0, designs, "chain",
        "chain: 3x3 convolutions one after the other, then a pixel shuffle; "
        "srresnet: SRGAN's generator (Ledig 2017), with 9x9 ends and residual "
        "blocks"},
    {"network", "colour", VALUE_CHOICE, FIELD (colour), 0, 0, colours, "y",
        "what goes in and comes out: luma alone, or R'G'B'"},
    {"network", "batch-norm", VALUE_BOOLEAN, FIELD (batch_norm), 0, 0, NULL,
        "true",
        "srresnet: batch-norms as published (folded away when written), or "
        "none"},
    {"network", "scale", VALUE_COUNT, FIELD (scale), 1, 4, NULL, "2",
        "how many times larger the output is"},
    {"network", "channels", VALUE_COUNT, FIELD (channels), 1, 512, NULL, "16",
        "feature maps of each convolution but the last"},
    {"network", "layers", VALUE_COUNT, FIELD (layers), 0, 64, NULL, "4",
        "convolutions between the first and the last; srresnet: residual "
        "blocks"},
    {"network", "blocks", VALUE_CHOICE, FIELD (blocks), 0, 0, blocks, "plain",
        "what each 3x3 convolution is while it is trained; ecb: the sum of "
        "several (Zhang 2021), made one before each step and when written: "
        "the same network, learned another way"},
    {"network", "block-width", VALUE_COUNT, FIELD (block_width), 1, 16, NULL,
        "2",
        "ecb: channels between its 1x1 and its 3x3 convolution, as a multiple "
        "of what comes out"},
    {"network", "activation", VALUE_CHOICE, FIELD (activation), 0, 0,
        activations, "prelu", "after each convolution but the last"},
    {"network", "skip", VALUE_CHOICE, FIELD (skip), 0, 0, skips, "nearest",
        "how the input is enlarged that the network corrects"},
    {"network", "start", VALUE_TEXT, FIELD (start), 0, 0, NULL, "",
        "a model to begin from: layers of equal shape are taken over"},
    {"network", "grow", VALUE_BOOLEAN, FIELD (grow), 0, 0, NULL, "false",
        "a chain of fewer channels or layers in network.start is made as large "
        "as this one, and still computes the same (Net2Net: Chen 2016)"},

    {"data", "folder", VALUE_TEXT, FIELD (folder), 0, 0, NULL, "",
        "the training pictures and videos, subfolders included; or one video"},
    {"data", "pairs", VALUE_TEXT, FIELD (pairs), 0, 0, NULL, "",
        "folders of inputs and of originals, in turns, with ; between: "
        "X/LR;X/Base. Pictures of one name belong together, the original "
        "network.scale times as large; what makes inputs below does not touch "
        "them"},
    {"data", "video-frames", VALUE_COUNT, FIELD (video_frames), 1, 100000, NULL,
        "300",
        "frames taken of each video, evenly over its length. What is held "
        "back of it are parts of 30 seconds or more, so that no frame has its "
        "like on the other side; of a single short one, tenths"},
    {"data", "video-crop", VALUE_COUNT, FIELD (video_crop), 16, 16384, NULL,
        "384",
        "side of the square that is kept of each frame, at a place drawn by "
        "lot, in memory: 2 bytes a pixel and channel; a patch's at least"},
    {"data", "patch", VALUE_COUNT, FIELD (patch), 4, 1024, NULL, "48",
        "side of a training patch in input pixels"},
    {"data", "flips", VALUE_BOOLEAN, FIELD (flips), 0, 0, NULL, "true",
        "mirror and turn patches in the eight ways of the square"},
    {"data", "turns", VALUE_CHOICES, FIELD (turns), 0, 0, turns,
        "horizontal;vertical;rotation",
        "flips: which mirrors and quarter turns"},
    {"data", "brightness", VALUE_RANGE, FIELD (brightness), -1, 1, NULL, "0;0",
        "added to each patch, drawn between the two; white is 1"},
    {"data", "contrast", VALUE_RANGE, FIELD (contrast), 0.1, 10, NULL, "1;1",
        "factor about middle grey, drawn between the two"},
    {"data", "downscale", VALUE_CHOICES, FIELD (downscale), 0, 0, downscales,
        "bicubic",
        "how the input is made: one of these for each patch; bicubic is "
        "MATLAB's, box the mean of an area, -linear works in linear light"},
    {"data", "round", VALUE_BOOLEAN, FIELD (rounded), 0, 0, NULL, "false",
        "round the input to 8-bit codes"},
    {"data", "softened", VALUE_NUMBER, FIELD (softened), 0, 1, NULL, "0.5",
        "share of patches from pictures softened before the input is made"},
    {"data", "blurred", VALUE_NUMBER, FIELD (blurred), 0, 1, NULL, "0.5",
        "share of the softened that are blurred; the others are reduced"},
    {"data", "blur-sigma", VALUE_RANGE, FIELD (blur_sigma), 0.05, 1.5, NULL,
        "0.4;0.6",
        "standard deviation of the Gaussian in pixels, drawn "
        "between the two"},
    {"data", "reduction", VALUE_RANGE, FIELD (reduction), 0.5, 1, NULL,
        "0.6;0.75",
        "the size that reduced pictures keep, drawn between "
        "the two"},
    {"data", "reduction-filter", VALUE_CHOICES, FIELD (reduction_filter), 0, 0,
        filters, "bilinear;box;bicubic", "one of these for each patch"},
    {"data", "x264", VALUE_NUMBER, FIELD (x264), 0, 1, NULL, "0",
        "share of the input that goes through x264, 4:2:0, as a frame of a "
        "short clip in which the picture moves"},
    {"data", "x264-crf", VALUE_COUNTS, FIELD (x264_crf), 0, 50, NULL, "18;35",
        "its constant rate factor, drawn between the two"},
    {"data", "x264-preset", VALUE_CHOICES, FIELD (x264_preset), 0, 0,
        x264_presets, "veryfast;medium", "one of these for each clip"},
    {"data", "x264-frames", VALUE_COUNTS, FIELD (x264_frames), 1, 32, NULL,
        "3;5", "frames of a clip, drawn between the two"},
    {"data", "x264-pan", VALUE_NUMBER, FIELD (x264_pan), 0, 64, NULL, "3",
        "the furthest that a clip moves from one frame to the next, each way, "
        "in input pixels"},
    {"data", "x264-zoom", VALUE_NUMBER, FIELD (x264_zoom), 0, 0.2, NULL, "0.01",
        "and the most that it grows or shrinks"},
    {"data", "jpeg", VALUE_NUMBER, FIELD (jpeg), 0, 1, NULL, "0",
        "share of the input that goes through JPEG; what neither takes stays "
        "clean"},
    {"data", "jpeg-quality", VALUE_COUNTS, FIELD (jpeg_quality), 1, 100, NULL,
        "60;95", "its quality, drawn between the two"},
    {"data", "variants", VALUE_COUNT, FIELD (variants), 1, 1000, NULL, "2",
        "x264, jpeg: how often each picture is coded, with other lots; each "
        "version is made once, when a patch first needs it, and kept"},
    {"data", "held-back", VALUE_NUMBER, FIELD (held_back), 0.001, 0.9, NULL,
        "0.04",
        "share of the pictures kept for validation, chosen by name: "
        "crops NAME_0, NAME_1 ... of one picture stay together"},
    {"data", "validation-pictures", VALUE_COUNT, FIELD (validation_pictures), 1,
        100000, NULL, "64", "at most so many of those are scored"},
    {"data", "prefetch-threads", VALUE_COUNT, FIELD (prefetch_threads), 1, 64,
        NULL, "1", "threads that prepare patches ahead"},

    {"training", "steps", VALUE_COUNT, FIELD (steps), 0, 100000000, NULL,
        "20000", "steps of the fidelity phase, the first"},
    {"training", "batch", VALUE_COUNT, FIELD (batch), 1, 4096, NULL, "16",
        "patches in a step"},
    {"training", "seed", VALUE_COUNT, FIELD (seed), 0, G_MAXUINT32, NULL, "1",
        "of first weights and patches"},
    {"training", "threads", VALUE_COUNT, FIELD (threads), 0, 256, NULL, "0",
        "threads that share the patches of a step; 0: the CPUs this process "
        "may use"},
    {"training", "precision", VALUE_CHOICE, FIELD (precision), 0, 0, precisions,
        "fp32",
        "int8: fine-tunes the codes of network.start, which has steps "
        "(srgan-convert --int8), in the engine's own arithmetic; what fp32 "
        "computes with stays as it is. bf16: the network's convolutions "
        "multiply in bfloat16, forwards and back; sums, weights and what the "
        "optimiser keeps are of fp32, and so is the network: for processors "
        "with AMX's tiles, on others slower"},
    {"training", "loss", VALUE_CHOICE, FIELD (loss), 0, 0, losses, "l1",
        "of the pixels; original-: as SRGAN-Rust defined its two"},
    {"training", "charbonnier-epsilon", VALUE_NUMBER,
        FIELD (charbonnier_epsilon), 1e-6, 1, NULL, "0.001",
        "where charbonnier turns from square to straight; white is 1"},
    {"training", "pixel-weight", VALUE_NUMBER, FIELD (weights[0]), 0, 1e6, NULL,
        "1", "weight of the loss of the pixels"},
    {"training", "ssim-weight", VALUE_NUMBER, FIELD (weights[1]), 0, 1e6, NULL,
        "0", "weight of 1 - SSIM"},
    {"training", "ms-ssim-weight", VALUE_NUMBER, FIELD (weights[2]), 0, 1e6,
        NULL, "0", "weight of 1 - MS-SSIM"},
    {"training", "fourier-weight", VALUE_NUMBER, FIELD (weights[3]), 0, 1e6,
        NULL, "0", "weight of the difference of Fourier transforms"},
    {"training", "perceptual-weight", VALUE_NUMBER, FIELD (weights[4]), 0, 1e6,
        NULL, "0", "weight of the difference of what a feature network sees"},
    {"training", "optimizer", VALUE_CHOICE, FIELD (optimizer), 0, 0, optimizers,
        "soap",
        "for convolutions: soap (Vyas 2024) or adam (Kingma 2015); biases and "
        "slopes always adam"},
    {"training", "learning-rate", VALUE_NUMBER, FIELD (learning_rate), 0, 1,
        NULL, "0.003", "of convolutions; falls to 0 along a cosine"},
    {"training", "other-learning-rate", VALUE_NUMBER,
        FIELD (other_learning_rate), 0, 1, NULL, "0.001",
        "of biases and slopes; likewise"},
    {"training", "warm-up", VALUE_COUNT, FIELD (warm_up), 0, 1000000, NULL,
        "200", "steps over which the rates rise from 0"},
    {"training", "restarts", VALUE_COUNT, FIELD (restarts), 0, 1000, NULL, "0",
        "times that the cosine begins anew (Loshchilov 2017)"},
    {"training", "restart-length", VALUE_NUMBER, FIELD (restart_length), 1, 16,
        NULL, "1",
        "restarts: how many times longer each is than the one before"},
    {"training", "restart-rate", VALUE_NUMBER, FIELD (restart_rate), 0.01, 1,
        NULL, "1", "restarts: its highest rate, as a share of the one before"},
    {"training", "first-moment", VALUE_NUMBER, FIELD (first_moment), 0, 0.9999,
        NULL, "0.9", "decay of the gradient's mean"},
    {"training", "second-moment", VALUE_NUMBER, FIELD (second_moment), 0,
        0.99999, NULL, "0.95", "soap: decay of the mean of its square"},
    {"training", "other-second-moment", VALUE_NUMBER,
        FIELD (other_second_moment), 0, 0.99999, NULL, "0.999",
        "adam: likewise"},
    {"training", "preconditioner-moment", VALUE_NUMBER,
        FIELD (preconditioner_moment), 0, 0.99999, NULL, "0.95",
        "soap: decay of the second moments of rows and columns"},
    {"training", "basis-interval", VALUE_COUNT, FIELD (basis_interval), 1,
        100000, NULL, "10", "soap: steps between renewals of the bases"},
    {"training", "clip", VALUE_NUMBER, FIELD (clip), 0, 1e9, NULL, "0",
        "longest gradient, as a multiple of its running mean; 0: any"},
    {"training", "weight-decay", VALUE_NUMBER, FIELD (weight_decay), 0, 1, NULL,
        "0", "adds so many times the sum of the squared weights to the loss"},
    {"training", "average", VALUE_NUMBER, FIELD (average), 0, 0.999999, NULL,
        "0.999",
        "decay of the running mean of the weights, which is what is "
        "scored and written"},

    {"distillation", "teacher", VALUE_TEXT, FIELD (teacher), 0, 0, NULL, "",
        "a larger network, a model file or the name of one that is built in, "
        "to learn from in the fidelity phase; empty: none. "
        "training.pixel-weight is the weight of the pictures themselves"},
    {"distillation", "output-weight", VALUE_NUMBER, FIELD (teacher_output), 0,
        1e6, NULL, "1",
        "weight of the loss of the pixels (training.loss) against what the "
        "teacher makes"},
    {"distillation", "residual-weight", VALUE_NUMBER, FIELD (teacher_residual),
        0, 1e6, NULL, "0",
        "weight of the squared difference from what the teacher adds to the "
        "enlarged input, over that square: patches count alike whatever their "
        "contrast"},

    {"adversarial", "steps", VALUE_COUNT, FIELD (adversarial_steps), 0,
        100000000, NULL, "0",
        "steps of the adversarial phase, which follows; its rates, too, fall "
        "along a cosine. The network before it is kept as NAME-fidelity"},
    {"adversarial", "discriminator", VALUE_CHOICE, FIELD (discriminator), 0, 0,
        discriminators, "srgan",
        "srgan: as published, with batch-norms and a dense head; patch: "
        "pix2pix's; unet: one verdict for each pixel; both under a spectral "
        "norm"},
    {"adversarial", "channels", VALUE_COUNT, FIELD (discriminator_channels), 4,
        512, NULL, "64", "feature maps of the discriminator's first layer"},
    {"adversarial", "form", VALUE_CHOICE, FIELD (adversarial_form), 0, 0, forms,
        "relativistic",
        "verdicts judged each by itself, or less the mean of the other kind's"},
    {"adversarial", "weight", VALUE_NUMBER, FIELD (adversarial_weight), 0, 1e6,
        NULL, "0.005", "weight of the generator's adversarial loss"},
    {"adversarial", "pixel-weight", VALUE_NUMBER,
        FIELD (adversarial_weights[0]), 0, 1e6, NULL, "0.01",
        "weight of the loss of the pixels"},
    {"adversarial", "ssim-weight", VALUE_NUMBER, FIELD (adversarial_weights[1]),
        0, 1e6, NULL, "0", "weight of 1 - SSIM"},
    {"adversarial", "ms-ssim-weight", VALUE_NUMBER,
        FIELD (adversarial_weights[2]), 0, 1e6, NULL, "0",
        "weight of 1 - MS-SSIM"},
    {"adversarial", "fourier-weight", VALUE_NUMBER,
        FIELD (adversarial_weights[3]), 0, 1e6, NULL, "0",
        "weight of the difference of Fourier transforms"},
    {"adversarial", "perceptual-weight", VALUE_NUMBER,
        FIELD (adversarial_weights[4]), 0, 1e6, NULL, "1",
        "weight of the difference of what a feature network sees"},
    {"adversarial", "learning-rate", VALUE_NUMBER,
        FIELD (adversarial_learning_rate), 0, 1, NULL, "0.0001",
        "of the generator, by adam"},
    {"adversarial", "discriminator-learning-rate", VALUE_NUMBER,
        FIELD (discriminator_learning_rate), 0, 1, NULL, "0.0001",
        "of the discriminator, by adam"},

    {"features", "model", VALUE_TEXT, FIELD (features), 0, 0, NULL, "",
        "the feature network of the perceptual loss, a model file; empty: "
        "random weights"},
    {"features", "layers", VALUE_TEXT, FIELD (feature_layers), 0, 0, NULL, "",
        "its layers that are compared, with ; between; empty: the model's "
        "note, else those before each reduction, and the last"},
    {"features", "form", VALUE_CHOICE, FIELD (feature_form), 0, 0,
        feature_forms, "energy",
        "how a layer's maps are compared: by their squared difference over the "
        "target's square, or so at each place, scaled to length 1 there (as "
        "LPIPS compares them)"},
    {"features", "channels", VALUE_COUNT, FIELD (feature_channels), 1, 512,
        NULL, "32",
        "random weights: feature maps of its first two layers; twice as many "
        "of the next, four times of the last"},
    {"features", "seed", VALUE_COUNT, FIELD (feature_seed), 0, G_MAXUINT32,
        NULL, "1", "of the random weights"},

    {"validation", "folder", VALUE_TEXT, FIELD (validation_folder), 0, 0, NULL,
        "", "pictures to choose the weights by; empty: those held back"},
    {"validation", "patience", VALUE_COUNT, FIELD (patience), 0, 1000000, NULL,
        "0",
        "stop when so many validations in a row were not better; 0: never"},
    {"validation", "features", VALUE_TEXT, FIELD (judge), 0, 0, NULL, "",
        "a feature network that measures the perceptual distance at each "
        "validation; not the one that trains"},
    {"validation", "feature-layers", VALUE_TEXT, FIELD (judge_layers), 0, 0,
        NULL, "", "as features.layers"},

    {"output", "file", VALUE_TEXT, FIELD (output), 0, 0, NULL, "",
        "the model file to write; empty: NAME.safetensors"},
    {"output", "checkpoint", VALUE_TEXT, FIELD (checkpoint), 0, 0, NULL, "",
        "where to save and continue; empty: the output with .ckpt"},
    {"output", "checkpoint-interval", VALUE_COUNT, FIELD (checkpoint_interval),
        1, 100000000, NULL, "1000", "steps between checkpoints"},
    {"output", "validation-interval", VALUE_COUNT, FIELD (validation_interval),
        1, 100000000, NULL, "1000", "steps between validations"},
    {"output", "log-dir", VALUE_TEXT, FIELD (log_folder), 0, 0, NULL, "",
        "a folder for log.jsonl, TensorBoard's event files and a preview at "
        "each validation (input enlarged | output | original); empty: none"},
    {"output", "log-interval", VALUE_COUNT, FIELD (log_interval), 1, 1000000,
        NULL, "100", "steps between lines of the log"},
    {"output", "quantised", VALUE_BOOLEAN, FIELD (quantised), 0, 0, NULL,
        "false",
        "write weights without their low 12 bits, rounded, as SRGAN-Rust's "
        "quantised files: they pack to less; scores are of those"},
    {"output", "training-data", VALUE_TEXT, FIELD (training_data), 0, 0, NULL,
        "", "a note for the model file: what it was trained on"},
    {"output", "licence", VALUE_TEXT, FIELD (licence), 0, 0, NULL, "",
        "a note for the model file: its licence"},
};

static const Setting *
find_setting (const gchar *group, const gchar *key)
{
  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    if (strcmp (settings[i].group, group) == 0 &&
        strcmp (settings[i].key, key) == 0)
      return settings + i;
  return NULL;
}

static gboolean
parse_number (const gchar *text, gdouble *number)
{
  gchar *end;

  errno = 0;
  *number = g_ascii_strtod (text, &end);
  return end != text && *end == '\0' && isfinite (*number);
}

static gboolean
parse_choice (const Setting *setting, const gchar *text, guint *choice)
{
  for (*choice = 0; setting->choices[*choice] != NULL; (*choice)++)
    if (strcmp (setting->choices[*choice], text) == 0)
      return TRUE;
  return FALSE;
}

/* FALSE where @text is no value of @setting; the recipe is then unchanged. */
static gboolean
parse_value (SrganRecipe *recipe, const Setting *setting, const gchar *text)
{
  gpointer field = (gchar *) recipe + setting->offset;
  g_auto (GStrv) parts = NULL;
  gdouble numbers[2];
  guint choice, mask = 0;

  switch (setting->kind) {
  case VALUE_TEXT:
    g_free (*(gchar **) field);
    *(gchar **) field = g_strdup (text);
    return TRUE;
  case VALUE_COUNT:
    if (!parse_number (text, numbers) || numbers[0] != floor (numbers[0]) ||
        numbers[0] < setting->low || numbers[0] > setting->high)
      return FALSE;
    *(guint *) field = (guint) numbers[0];
    return TRUE;
  case VALUE_NUMBER:
    if (!parse_number (text, numbers) || numbers[0] < setting->low ||
        numbers[0] > setting->high)
      return FALSE;
    *(gdouble *) field = numbers[0];
    return TRUE;
  case VALUE_RANGE:
  case VALUE_COUNTS:
    parts = g_strsplit (text, ";", -1);
    if (g_strv_length (parts) != 2 || !parse_number (parts[0], numbers) ||
        !parse_number (parts[1], numbers + 1) || numbers[0] > numbers[1] ||
        numbers[0] < setting->low || numbers[1] > setting->high ||
        (setting->kind == VALUE_COUNTS &&
            (numbers[0] != floor (numbers[0]) ||
                numbers[1] != floor (numbers[1]))))
      return FALSE;
    memcpy (field, numbers, sizeof numbers);
    return TRUE;
  case VALUE_BOOLEAN:
    if (strcmp (text, "true") != 0 && strcmp (text, "false") != 0)
      return FALSE;
    *(gboolean *) field = text[0] == 't';
    return TRUE;
  case VALUE_CHOICE:
    if (!parse_choice (setting, text, &choice))
      return FALSE;
    *(guint *) field = choice;
    return TRUE;
  case VALUE_CHOICES:
    parts = g_strsplit (text, ";", -1);
    for (guint i = 0; parts[i] != NULL; i++) {
      if (!parse_choice (setting, parts[i], &choice))
        return FALSE;
      mask |= 1u << choice;
    }
    if (mask == 0)
      return FALSE;
    *(guint *) field = mask;
    return TRUE;
  }
  return FALSE;
}

/* What a value must look like, for errors and explanations. */
static gchar *
describe_values (const Setting *setting)
{
  g_autofree gchar *joined = NULL;

  switch (setting->kind) {
  case VALUE_COUNT:
    return g_strdup_printf (
        "a whole number, %.0f .. %.0f", setting->low, setting->high);
  case VALUE_NUMBER:
    return g_strdup_printf ("a number, %g .. %g", setting->low, setting->high);
  case VALUE_RANGE:
    return g_strdup_printf (
        "LOW;HIGH within %g .. %g", setting->low, setting->high);
  case VALUE_COUNTS:
    return g_strdup_printf (
        "LOW;HIGH, whole numbers within %g .. %g", setting->low, setting->high);
  case VALUE_BOOLEAN:
    return g_strdup ("true or false");
  case VALUE_CHOICE:
    joined = g_strjoinv (", ", (gchar **) setting->choices);
    return g_strdup_printf ("one of %s", joined);
  case VALUE_CHOICES:
    joined = g_strjoinv (", ", (gchar **) setting->choices);
    return g_strdup_printf ("some of %s, with ; between", joined);
  default:
    return g_strdup ("text");
  }
}

SrganRecipe *
srgan_recipe_new (void)
{
  SrganRecipe *recipe = g_new0 (SrganRecipe, 1);

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    if (!parse_value (recipe, settings + i, settings[i].initial))
      g_assert_not_reached ();
  return recipe;
}

void
srgan_recipe_free (SrganRecipe *recipe)
{
  if (recipe == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    if (settings[i].kind == VALUE_TEXT)
      g_free (*(gchar **) ((gchar *) recipe + settings[i].offset));
  g_free (recipe);
}

/* The keys of a group, for an error. */
static gchar *
list_keys (const gchar *group)
{
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    if (strcmp (settings[i].group, group) == 0)
      g_string_append_printf (
          list, "%s%s", list->len > 0 ? ", " : "", settings[i].key);
  return g_string_free (list, FALSE);
}

gboolean
srgan_recipe_set (SrganRecipe *recipe, const gchar *group, const gchar *key,
    const gchar *value, GError **error)
{
  const Setting *setting = find_setting (group, key);

  if (setting == NULL) {
    g_autofree gchar *keys = list_keys (group);

    if (*keys != '\0')
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "there is no setting '%s' in [%s], which has: %s", key, group, keys);
    else
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "there is no group [%s] (setting '%s'): the groups are network, "
          "data, training, distillation, adversarial, features, validation and "
          "output",
          group, key);
    return FALSE;
  }
  if (!parse_value (recipe, setting, value)) {
    g_autofree gchar *values = describe_values (setting);

    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s.%s cannot be '%s': it takes %s", group, key, value, values);
    return FALSE;
  }
  return TRUE;
}

gboolean
srgan_recipe_load (SrganRecipe *recipe, const gchar *path, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_auto (GStrv) groups = NULL;
  GError *cause = NULL;

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, &cause)) {
    g_set_error (error, SRGAN_ERROR,
        g_error_matches (cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)
            ? SRGAN_ERROR_NOT_FOUND
            : SRGAN_ERROR_READ,
        "cannot read the recipe %s: %s", path, cause->message);
    g_error_free (cause);
    return FALSE;
  }
  groups = g_key_file_get_groups (file, NULL);
  for (guint g = 0; groups[g] != NULL; g++) {
    g_auto (GStrv) keys = g_key_file_get_keys (file, groups[g], NULL, NULL);

    for (guint k = 0; keys != NULL && keys[k] != NULL; k++) {
      g_autofree gchar *value =
          g_key_file_get_string (file, groups[g], keys[k], &cause);

      if (value == NULL ||
          !srgan_recipe_set (recipe, groups[g], keys[k], value, &cause)) {
        g_propagate_prefixed_error (error, cause, "%s: ", path);
        return FALSE;
      }
    }
  }
  return TRUE;
}

static gchar *
number_to_string (gdouble number)
{
  gchar buffer[G_ASCII_DTOSTR_BUF_SIZE];

  if (number == floor (number) && fabs (number) < 1e7)
    return g_strdup_printf ("%.0f", number);
  /* the shortest that reads back the same */
  for (guint digits = 1; digits < 17; digits++) {
    gchar format[8];

    g_snprintf (format, sizeof format, "%%.%ug", digits);
    g_ascii_formatd (buffer, sizeof buffer, format, number);
    if (g_ascii_strtod (buffer, NULL) == number)
      return g_strdup (buffer);
  }
  return g_strdup (g_ascii_dtostr (buffer, sizeof buffer, number));
}

static gchar *
value_to_string (const SrganRecipe *recipe, const Setting *setting)
{
  gconstpointer field = (const gchar *) recipe + setting->offset;
  g_autofree gchar *low = NULL, *high = NULL;
  GString *list;

  switch (setting->kind) {
  case VALUE_TEXT:
    return g_strdup (*(gchar *const *) field);
  case VALUE_COUNT:
    return g_strdup_printf ("%u", *(const guint *) field);
  case VALUE_NUMBER:
    return number_to_string (*(const gdouble *) field);
  case VALUE_RANGE:
  case VALUE_COUNTS:
    low = number_to_string (((const gdouble *) field)[0]);
    high = number_to_string (((const gdouble *) field)[1]);
    return g_strdup_printf ("%s;%s", low, high);
  case VALUE_BOOLEAN:
    return g_strdup (*(const gboolean *) field ? "true" : "false");
  case VALUE_CHOICE:
    return g_strdup (setting->choices[*(const guint *) field]);
  default:
    list = g_string_new (NULL);
    for (guint i = 0; setting->choices[i] != NULL; i++)
      if (*(const guint *) field & 1u << i)
        g_string_append_printf (
            list, "%s%s", list->len > 0 ? ";" : "", setting->choices[i]);
    return g_string_free (list, FALSE);
  }
}

gchar *
srgan_recipe_get (
    const SrganRecipe *recipe, const gchar *group, const gchar *key)
{
  const Setting *setting = find_setting (group, key);

  return setting == NULL ? NULL : value_to_string (recipe, setting);
}

gchar *
srgan_recipe_to_string (const SrganRecipe *recipe, gboolean explained)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++) {
    const Setting *setting = settings + i;
    g_autofree gchar *value = value_to_string (recipe, setting);

    g_key_file_set_string (file, setting->group, setting->key, value);
    if (explained) {
      g_autofree gchar *values = describe_values (setting);
      g_autofree gchar *comment =
          g_strdup_printf (" %s (%s)", setting->help, values);

      g_key_file_set_comment (
          file, setting->group, setting->key, comment, NULL);
    }
  }
  return g_key_file_to_data (file, NULL, NULL);
}

guint
srgan_recipe_get_channels (const SrganRecipe *recipe)
{
  return recipe->colour == SRGAN_COLOUR_Y ? 1 : 3;
}

const gchar *
srgan_recipe_get_x264_preset (guint choice)
{
  return x264_presets[choice];
}

guint
srgan_recipe_get_n_steps (const SrganRecipe *recipe)
{
  return recipe->steps + recipe->adversarial_steps;
}

void
srgan_recipe_set_adversarial_rates (SrganRecipe *recipe, gdouble rate)
{
  recipe->optimizer = SRGAN_OPTIMIZER_ADAM;
  recipe->learning_rate = recipe->other_learning_rate = rate;
  recipe->steps = recipe->adversarial_steps;
  recipe->weight_decay = 0;
  recipe->restarts = 0;
}

/* Settings that do nothing while another has a certain value, or, where that
 * begins with '!', any but this. Of several rows all have to be so. */
static const struct {
  const gchar *group, *key, *other_group, *other_key, *value;
} idle[] = {
    {"network", "batch-norm", "network", "design", "!srresnet"},
    {"network", "block-width", "network", "blocks", "plain"},
    {"network", "grow", "network", "start", ""},
    {"data", "turns", "data", "flips", "false"},
    {"data", "blurred", "data", "softened", "0"},
    {"data", "blur-sigma", "data", "softened", "0"},
    {"data", "reduction", "data", "softened", "0"},
    {"data", "reduction-filter", "data", "softened", "0"},
    {"data", "x264-crf", "data", "x264", "0"},
    {"data", "x264-preset", "data", "x264", "0"},
    {"data", "x264-frames", "data", "x264", "0"},
    {"data", "x264-pan", "data", "x264", "0"},
    {"data", "x264-zoom", "data", "x264", "0"},
    {"data", "jpeg-quality", "data", "jpeg", "0"},
    {"data", "variants", "data", "x264", "0"},
    {"data", "variants", "data", "jpeg", "0"},
    {"data", "held-back", "validation", "folder", "!"},
    {"training", "charbonnier-epsilon", "training", "loss", "!charbonnier"},
    {"training", "second-moment", "training", "optimizer", "!soap"},
    {"training", "preconditioner-moment", "training", "optimizer", "!soap"},
    {"training", "basis-interval", "training", "optimizer", "!soap"},
    {"training", "restart-length", "training", "restarts", "0"},
    {"training", "restart-rate", "training", "restarts", "0"},
    {"adversarial", "discriminator", "adversarial", "steps", "0"},
    {"adversarial", "channels", "adversarial", "steps", "0"},
    {"adversarial", "form", "adversarial", "steps", "0"},
    {"adversarial", "weight", "adversarial", "steps", "0"},
    {"adversarial", "pixel-weight", "adversarial", "steps", "0"},
    {"adversarial", "ssim-weight", "adversarial", "steps", "0"},
    {"adversarial", "ms-ssim-weight", "adversarial", "steps", "0"},
    {"adversarial", "fourier-weight", "adversarial", "steps", "0"},
    {"adversarial", "perceptual-weight", "adversarial", "steps", "0"},
    {"adversarial", "learning-rate", "adversarial", "steps", "0"},
    {"adversarial", "discriminator-learning-rate", "adversarial", "steps", "0"},
    {"features", "model", "training", "perceptual-weight", "0"},
    {"features", "model", "adversarial", "steps", "0"},
    {"features", "layers", "training", "perceptual-weight", "0"},
    {"features", "layers", "adversarial", "steps", "0"},
    {"features", "form", "training", "perceptual-weight", "0"},
    {"features", "form", "adversarial", "steps", "0"},
    {"features", "channels", "training", "perceptual-weight", "0"},
    {"features", "channels", "adversarial", "steps", "0"},
    {"features", "seed", "training", "perceptual-weight", "0"},
    {"features", "seed", "adversarial", "steps", "0"},
    {"validation", "feature-layers", "validation", "features", ""},
    {"output", "log-interval", "output", "log-dir", ""},
};

GStrv
srgan_recipe_find_idle (const SrganRecipe *recipe)
{
  g_autoptr (SrganRecipe) initial = srgan_recipe_new ();
  GPtrArray *lines = g_ptr_array_new ();

  for (guint i = 0, next; i < G_N_ELEMENTS (idle); i = next) {
    g_autofree gchar *value =
        srgan_recipe_get (recipe, idle[i].group, idle[i].key);
    g_autofree gchar *usual =
        srgan_recipe_get (initial, idle[i].group, idle[i].key);
    gboolean all = strcmp (value, usual) != 0;
    g_autoptr (GString) reasons = g_string_new (NULL);

    for (next = i; next < G_N_ELEMENTS (idle) &&
                   strcmp (idle[next].group, idle[i].group) == 0 &&
                   strcmp (idle[next].key, idle[i].key) == 0;
         next++) {
      g_autofree gchar *other = srgan_recipe_get (
          recipe, idle[next].other_group, idle[next].other_key);
      const gchar *text = idle[next].value;

      all = all && (text[0] == '!' ? strcmp (other, text + 1) != 0
                                   : strcmp (other, text) == 0);
      g_string_append_printf (reasons, "%s%s.%s is '%s'",
          reasons->len > 0 ? ", " : "", idle[next].other_group,
          idle[next].other_key, other);
    }
    if (all)
      g_ptr_array_add (
          lines, g_strdup_printf ("%s.%s=%s does nothing: %s", idle[i].group,
                     idle[i].key, value, reasons->str));
  }
  g_ptr_array_add (lines, NULL);
  return (GStrv) g_ptr_array_free (lines, FALSE);
}

gboolean
srgan_recipe_check (const SrganRecipe *recipe, GError **error)
{
  guint side = recipe->patch * recipe->scale;
  g_auto (GStrv) pairs = g_strsplit (recipe->pairs, ";", -1);

  if (recipe->folder[0] == '\0' && pairs[0] == NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "no training pictures: name their folder in data.folder (--data), or "
        "pairs of folders in data.pairs (--pairs)");
    return FALSE;
  }
  if (g_strv_length (pairs) % 2 != 0 ||
      g_strv_contains ((const gchar *const *) pairs, "")) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "data.pairs '%s': a folder of inputs goes with each of originals, with "
        "; between: X/LR;X/Base",
        recipe->pairs);
    return FALSE;
  }
  if (recipe->name[0] == '\0') {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "network.name is empty: the model file needs one");
    return FALSE;
  }
  if (recipe->patch * recipe->scale < 2 * recipe->scale + 11) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "data.patch %u is too small for scale %u to be scored", recipe->patch,
        recipe->scale);
    return FALSE;
  }
  if (recipe->x264 + recipe->jpeg > 1) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "data.x264 and data.jpeg are shares of one whole: together they are "
        "%g",
        recipe->x264 + recipe->jpeg);
    return FALSE;
  }
  if (srgan_recipe_get_n_steps (recipe) == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "training.steps and adversarial.steps are both 0: there is nothing to "
        "do");
    return FALSE;
  }
  if (recipe->patience > 0 && recipe->adversarial_steps > 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "validation.patience: with an adversarial phase (adversarial.steps) "
        "the fidelity phase has to run its steps");
    return FALSE;
  }
  if (recipe->teacher[0] == '\0' && recipe->teacher_residual > 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "distillation.residual-weight: there is no teacher: name one in "
        "distillation.teacher");
    return FALSE;
  }
  if (recipe->teacher[0] != '\0' && recipe->teacher_output == 0 &&
      recipe->teacher_residual == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "distillation.teacher: output-weight and residual-weight are both 0: "
        "it has nothing to say");
    return FALSE;
  }
  if (recipe->restarts >= MAX (recipe->steps, 1)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "training.restarts: %u in %u steps (training.steps)", recipe->restarts,
        recipe->steps);
    return FALSE;
  }
  if (recipe->quantised && recipe->blocks != SRGAN_BLOCKS_PLAIN) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "output.quantised: weights that are summed up of several "
        "(network.blocks=ecb) do not stay so: train plain ones from "
        "network.start");
    return FALSE;
  }
  if (recipe->quantised &&
      (recipe->precision == SRGAN_TRAIN_INT8 ||
          (recipe->design == SRGAN_DESIGN_SRRESNET && recipe->batch_norm))) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "output.quantised: %s",
        recipe->precision == SRGAN_TRAIN_INT8
            ? "training.precision=int8 has codes of its own"
            : "weights into which batch-norms (network.batch-norm) are folded "
              "do not stay so");
    return FALSE;
  }
  if (recipe->precision == SRGAN_TRAIN_INT8) {
    const gchar *reason =
        recipe->start[0] == '\0'
            ? "it begins from a network that has steps: name it in "
              "network.start (--start)"
        : recipe->adversarial_steps > 0
            ? "an adversarial phase (adversarial.steps) is for fp32"
        : recipe->blocks != SRGAN_BLOCKS_PLAIN
            ? "network.blocks=ecb is for fp32: it trains codes, which are not "
              "the sum of any"
        : recipe->weight_decay > 0
            ? "training.weight-decay is for fp32: codes have no size to lose"
        : recipe->grow
            ? "network.grow is for fp32: it trains network.start as it is"
            : NULL;

    if (reason != NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "training.precision=int8: %s", reason);
      return FALSE;
    }
  }
  if (recipe->design == SRGAN_DESIGN_SRRESNET && recipe->layers == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "network.layers: an srresnet has 1 residual block at least");
    return FALSE;
  }
  if (recipe->adversarial_steps > 0 && side < 32) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "data.patch: %u pixels (data.patch x network.scale) are too few for a "
        "discriminator: 32 are needed",
        side);
    return FALSE;
  }
  if (recipe->adversarial_steps > 0 &&
      recipe->discriminator == SRGAN_DISCRIMINATOR_UNET && side % 8 != 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "data.patch: %u pixels (data.patch x network.scale) are no multiple of "
        "8: a unet halves and doubles them three times",
        side);
    return FALSE;
  }
  return TRUE;
}
