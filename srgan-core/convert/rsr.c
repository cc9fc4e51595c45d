/* convert: .rsr, the original's model file.
 *
 * xz of the payload's bytes in four strides: all at offset 0 modulo 4, then 1,
 * 2, 3. The payload is bincode 1, little-endian: the header's numbers as u32
 * (without the width in an older layout, and nothing says which), the number of
 * tensors, and each tensor as a version, its dimensions, their product and the
 * numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/rsr.h"

#include "convert/build.h"

#include <lzma.h>
#include <string.h>

/* Width 64 and depth 6, far more than the original ever trained, need less. */
#define MAX_PAYLOAD (96 * 1024 * 1024)
#define MAX_LZMA_MEMORY (128 * 1024 * 1024)
#define MAX_DIMENSIONS 5

static const guint8 magic[] = {0xfd, '7', 'z', 'X', 'Z', 0};

/* --- The network's shape
 * -------------------------------------------------------- */

guint
srgan_rsr_get_jumps (guint layer, guint *jumps)
{
  guint n = 0;

  for (guint jump = 1; (layer + 1) % jump == 0 && jump <= layer + 1; jump *= 2)
    jumps[n++] = jump;
  return n;
}

guint
srgan_rsr_get_channels (const SrganRsrShape *shape, guint layer)
{
  guint jumps[32];

  if (layer + 1 == 1u << shape->log_depth)
    return SRGAN_RSR_CHANNELS * shape->factor * shape->factor;
  return shape->width * srgan_rsr_get_jumps (layer, jumps);
}

guint
srgan_rsr_get_map_channels (const SrganRsrShape *shape, guint index)
{
  return index == 0 ? SRGAN_RSR_CHANNELS
                    : srgan_rsr_get_channels (shape, index - 1);
}

static void
add_tensor (GArray *tensors, SrganRsrKind kind, guint layer, guint jump,
    guint n_dimensions, guint a, guint b, guint c, guint d, guint e)
{
  const SrganRsrTensor tensor = {
      kind, layer, jump, n_dimensions, {a, b, c, d, e}};

  g_array_append_val (tensors, tensor);
}

GArray *
srgan_rsr_list_tensors (const SrganRsrShape *shape)
{
  GArray *tensors = g_array_new (FALSE, FALSE, sizeof (SrganRsrTensor));
  guint n_layers = 1u << shape->log_depth;
  guint g = shape->global_factor;

  if (g > 0) {
    guint n = SRGAN_RSR_CHANNELS;

    add_tensor (tensors, SRGAN_RSR_INPUT_MATRIX, 0, 0, 2, n, g * n, 0, 0, 0);
    add_tensor (tensors, SRGAN_RSR_INPUT_CURVE, 0, 0, 3, 3, 1, g * n, 0, 0);
  }
  for (guint i = 0; i < n_layers; i++) {
    guint jumps[32], n_jumps = srgan_rsr_get_jumps (i, jumps);
    guint out = srgan_rsr_get_channels (shape, i);

    if (g > 0)
      add_tensor (tensors, SRGAN_RSR_BIAS, i, 0, 4, 1, 1, 1, out, 0);
    for (guint j = 0; j < n_jumps; j++) {
      guint in = srgan_rsr_get_map_channels (shape, i + 1 - jumps[j]);

      add_tensor (tensors, SRGAN_RSR_CONV, i, jumps[j], 4, out, 3, 3, in, 0);
      if (g > 0)
        add_tensor (
            tensors, SRGAN_RSR_GLOBAL, i, jumps[j], 2, g * in, out, 0, 0, 0);
    }
    if (g == 0)
      add_tensor (tensors, SRGAN_RSR_BIAS, i, 0, 4, 1, 1, 1, out, 0);
    if (i + 1 == n_layers)
      break;
    add_tensor (tensors, SRGAN_RSR_CURVE, i, 0, 5, 3, 1, 1, 1, out);
    if (g > 0) {
      add_tensor (tensors, SRGAN_RSR_MATRIX, i, 0, 2, out, g * out, 0, 0, 0);
      if (shape->linear_bias)
        add_tensor (
            tensors, SRGAN_RSR_MATRIX_BIAS, i, 0, 2, 1, g * out, 0, 0, 0);
      add_tensor (
          tensors, SRGAN_RSR_MATRIX_CURVE, i, 0, 3, 3, 1, g * out, 0, 0);
    }
  }
  return tensors;
}

/* --- The file
 * ---------------------------------------------------------------------- */

gboolean
srgan_detect_rsr (SrganSource *source)
{
  return srgan_source_has_bytes (source, 0, magic, sizeof magic);
}

/* What the archive unpacks to, strides undone. */
static GByteArray *
unpack (SrganSource *source, GError **error)
{
  lzma_stream stream = LZMA_STREAM_INIT;
  g_autoptr (GByteArray) shuffled = g_byte_array_new ();
  g_autoptr (GByteArray) payload = g_byte_array_new ();
  guint8 chunk[65536];
  lzma_ret result;
  gsize at = 0;

  if (lzma_stream_decoder (&stream, MAX_LZMA_MEMORY, 0) != LZMA_OK) {
    srgan_convert_fail (
        error, SRGAN_ERROR_TOO_LARGE, "xz archive: no memory to unpack it");
    return NULL;
  }
  stream.next_in = source->data;
  stream.avail_in = source->size;
  do {
    stream.next_out = chunk;
    stream.avail_out = sizeof chunk;
    result = lzma_code (&stream, LZMA_FINISH);
    g_byte_array_append (
        shuffled, chunk, (guint) (sizeof chunk - stream.avail_out));
  } while (result == LZMA_OK && shuffled->len <= MAX_PAYLOAD);
  lzma_end (&stream);
  if (shuffled->len > MAX_PAYLOAD) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "xz archive: refused: it unpacks to more than %u bytes", MAX_PAYLOAD);
    return NULL;
  }
  if (result != LZMA_STREAM_END) {
    srgan_convert_corrupt (error, "xz archive: %s",
        result == LZMA_MEMLIMIT_ERROR ? "asks for too much memory"
                                      : "is damaged or cut short");
    return NULL;
  }
  g_byte_array_set_size (payload, shuffled->len);
  for (guint i = 0; i < 4; i++)
    for (gsize j = i; j < payload->len; j += 4)
      payload->data[j] = shuffled->data[at++];
  return g_steal_pointer (&payload);
}

typedef struct {
  const guint8 *data;
  gsize size;
  gsize position;
} Cursor;

static gboolean
take_uint (Cursor *cursor, guint size, guint64 *value)
{
  if (cursor->size - cursor->position < size)
    return FALSE;
  *value = 0;
  for (guint i = 0; i < size; i++)
    *value |= (guint64) cursor->data[cursor->position + i] << 8 * i;
  cursor->position += size;
  return TRUE;
}

typedef struct {
  guint n_dimensions;
  guint64 dimensions[MAX_DIMENSIONS];
  const guint8 *numbers;
  guint64 n;
} Tensor;

/* Reads a payload whose header has @n_header numbers. Returns %NULL unless it
 * ends where the last tensor does. */
static GArray *
parse (const GByteArray *payload, guint n_header, guint64 *header)
{
  g_autoptr (GArray) tensors = g_array_new (FALSE, FALSE, sizeof (Tensor));
  Cursor cursor = {payload->data, payload->len, 0};
  guint64 n_tensors;

  for (guint i = 0; i < n_header; i++)
    if (!take_uint (&cursor, 4, &header[i]))
      return NULL;
  /* a tensor takes 17 bytes at least */
  if (!take_uint (&cursor, 8, &n_tensors) || n_tensors > payload->len / 17)
    return NULL;
  for (guint64 i = 0; i < n_tensors; i++) {
    guint64 version, n_dimensions, product = 1;
    Tensor tensor;

    if (!take_uint (&cursor, 1, &version) || version != 1 ||
        !take_uint (&cursor, 8, &n_dimensions) || n_dimensions > MAX_DIMENSIONS)
      return NULL;
    tensor.n_dimensions = (guint) n_dimensions;
    for (guint j = 0; j < tensor.n_dimensions; j++)
      if (!take_uint (&cursor, 8, &tensor.dimensions[j]) ||
          !g_uint64_checked_mul (&product, product, tensor.dimensions[j]))
        return NULL;
    if (!take_uint (&cursor, 8, &tensor.n) || tensor.n != product ||
        tensor.n > (cursor.size - cursor.position) / 4)
      return NULL;
    tensor.numbers = cursor.data + cursor.position;
    cursor.position += tensor.n * 4;
    g_array_append_val (tensors, tensor);
  }
  return cursor.position == cursor.size ? g_steal_pointer (&tensors) : NULL;
}

static gboolean
fits (const GArray *tensors, const SrganRsrShape *shape)
{
  g_autoptr (GArray) wanted = NULL;

  if (shape->factor < 1 || shape->factor > 16 || shape->width < 1 ||
      shape->width > 1024 || shape->log_depth > SRGAN_RSR_MAX_LOG_DEPTH ||
      shape->global_factor > 16)
    return FALSE;
  wanted = srgan_rsr_list_tensors (shape);
  if (wanted->len != tensors->len)
    return FALSE;
  for (guint i = 0; i < wanted->len; i++) {
    const SrganRsrTensor *tensor = &g_array_index (wanted, SrganRsrTensor, i);
    const Tensor *there = &g_array_index (tensors, Tensor, i);

    if (tensor->n_dimensions != there->n_dimensions ||
        memcmp (tensor->dimensions, there->dimensions,
            tensor->n_dimensions * sizeof *tensor->dimensions) != 0)
      return FALSE;
  }
  return TRUE;
}

/* The shape that the tensors fit: headers are not to be relied on, some name
 * global nodes that are not there. */
static gboolean
find_shape (const GArray *tensors, const guint64 *header, gboolean is_new,
    SrganRsrShape *shape)
{
  guint64 global = header[is_new ? 3 : 2];
  guint64 width = is_new ? header[1] : 0;

  for (guint i = 0; i < tensors->len && !is_new; i++) {
    const Tensor *tensor = &g_array_index (tensors, Tensor, i);

    if (tensor->n_dimensions == 4 && tensor->dimensions[1] == 3 &&
        tensor->dimensions[2] == 3 &&
        tensor->dimensions[3] == SRGAN_RSR_CHANNELS) {
      width = tensor->dimensions[0];
      break;
    }
  }
  for (guint i = 0; i < 3; i++) {
    const SrganRsrShape attempt = {
        .factor = (guint) MIN (header[0], G_MAXINT),
        .width = (guint) MIN (width, G_MAXINT),
        .log_depth = (guint) MIN (header[is_new ? 2 : 1], G_MAXINT),
        .global_factor = i < 2 ? (guint) MIN (global, G_MAXINT) : 0,
        .linear_bias = i == 0,
    };

    *shape = attempt;
    if (fits (tensors, shape))
      return TRUE;
  }
  return FALSE;
}

/* --- The network
 * --------------------------------------------------------------------- */

static gfloat *
get_numbers (const Tensor *tensor)
{
  gfloat *numbers = g_new (gfloat, MAX (tensor->n, 1));

  srgan_dtype_to_floats (
      SRGAN_DTYPE_FLOAT32, tensor->numbers, tensor->n, numbers);
  return numbers;
}

/* The vector of map @map: its means through a matrix [in][out] and a curve. */
static gint
build_vector (SrganBuild *build, gint map, const gchar *name, guint in,
    guint out, const Tensor *matrix, const Tensor *bias, const Tensor *curve)
{
  g_autofree gfloat *given = get_numbers (matrix);
  g_autofree gfloat *weight = g_new (gfloat, (gsize) in * out);
  g_autofree gfloat *offsets = bias != NULL ? get_numbers (bias) : NULL;
  g_autofree gfloat *slopes = get_numbers (curve);
  const SrganLayer mean = {
      .name = (gchar *) srgan_build_name (build, "%s-mean", name),
      .operation = SRGAN_OPERATION_GLOBAL_MEAN,
      .n_inputs = 1,
      .inputs = {map},
  };
  SrganLayer linear = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_LINEAR,
      .n_inputs = 1,
      .out_channels = out,
      .activation = SRGAN_ACTIVATION_SPLINE,
      .weight = weight,
      .bias = offsets,
      .slope = slopes,
  };

  for (guint o = 0; o < out; o++)
    for (guint i = 0; i < in; i++)
      weight[(gsize) o * in + i] = given[(gsize) i * out + o];
  linear.inputs[0] = srgan_build_layer (build, &mean);
  return srgan_build_layer (build, &linear);
}

/* The last layer's channels come as (y, x, c), a pixel shuffle's as (c, y, x).
 */
static guint
get_place (const SrganRsrShape *shape, gboolean is_last, guint channel)
{
  guint area = shape->factor * shape->factor;

  return is_last ? channel % SRGAN_RSR_CHANNELS * area +
                       channel / SRGAN_RSR_CHANNELS
                 : channel;
}

/* Builds the network; names are what the writer looks for. */
static gint
build_network (SrganBuild *build, const SrganRsrShape *shape,
    const GArray *tensors, gint input)
{
  guint n_layers = 1u << shape->log_depth, next = 0;
  guint g = shape->global_factor;
  g_autofree gint *maps = g_new (gint, n_layers + 1);
  g_autofree gint *vectors = g_new0 (gint, n_layers + 1);
  gint last, base;

#define NEXT (&g_array_index (tensors, Tensor, next++))
  maps[0] = input;
  if (g > 0) {
    const Tensor *matrix = NEXT, *curve = NEXT;

    vectors[0] = build_vector (build, input, "vector0", SRGAN_RSR_CHANNELS,
        g * SRGAN_RSR_CHANNELS, matrix, NULL, curve);
  }
  for (guint i = 0; i < n_layers && build->error == NULL; i++) {
    guint jumps[32], n_jumps = srgan_rsr_get_jumps (i, jumps);
    guint out = srgan_rsr_get_channels (shape, i), in = 0, from = 0;
    gboolean is_last = i + 1 == n_layers;
    const Tensor *bias = g > 0 ? NEXT : NULL, *curve = NULL;
    gint sources[32], sums[32];
    gfloat *weight, *offsets, *numbers;
    g_autofree gfloat *slopes = NULL;
    SrganBuildHow how = {0};
    gint map;

    for (guint j = 0; j < n_jumps; j++) {
      sources[j] = maps[i + 1 - jumps[j]];
      in += srgan_rsr_get_map_channels (shape, i + 1 - jumps[j]);
    }
    /* the sum of convolutions as one, of all their inputs */
    weight = g_new (gfloat, (gsize) out * in * 9);
    for (guint j = 0; j < n_jumps; j++) {
      guint n = srgan_rsr_get_map_channels (shape, i + 1 - jumps[j]);
      g_autofree gfloat *given = get_numbers (NEXT);

      for (guint o = 0; o < out; o++)
        for (guint tap = 0; tap < 9; tap++)
          for (guint c = 0; c < n; c++)
            weight[((gsize) get_place (shape, is_last, o) * in + from + c) * 9 +
                   tap] = given[((gsize) o * 9 + tap) * n + c];
      from += n;
      if (g > 0) {
        g_autofree gfloat *matrix = get_numbers (NEXT);
        g_autofree gfloat *turned = g_new (gfloat, (gsize) out * g * n);
        const SrganLayer linear = {
            .name =
                (gchar *) srgan_build_name (build, "global%u-%u", i, jumps[j]),
            .operation = SRGAN_OPERATION_LINEAR,
            .n_inputs = 1,
            .inputs = {vectors[i + 1 - jumps[j]]},
            .out_channels = out,
            .weight = turned,
        };

        for (guint o = 0; o < out; o++)
          for (guint c = 0; c < g * n; c++)
            turned[(gsize) get_place (shape, is_last, o) * g * n + c] =
                matrix[(gsize) c * out + o];
        sums[1 + j] = srgan_build_layer (build, &linear);
      }
    }
    if (bias == NULL)
      bias = NEXT;
    numbers = get_numbers (bias);
    offsets = g_new (gfloat, out);
    for (guint o = 0; o < out; o++)
      offsets[get_place (shape, is_last, o)] = numbers[o];
    g_free (numbers);
    if (!is_last) {
      curve = NEXT;
      slopes = get_numbers (curve);
    }

    map = sources[0];
    if (n_jumps > 1)
      map = srgan_build_join (build, SRGAN_OPERATION_CONCAT,
          srgan_build_name (build, "inputs%u", i), sources, n_jumps);
    if (g == 0 && slopes != NULL) {
      how.activation = SRGAN_ACTIVATION_SPLINE;
      how.slopes = slopes;
    }
    map = srgan_build_conv_of (build, map,
        is_last ? "expand" : srgan_build_name (build, "conv%u", i), out, in, 3,
        3, weight, offsets, &how);
    if (g > 0) {
      SrganLayer sum = {
          .name = (gchar *) srgan_build_name (build, "layer%u", i),
          .operation = SRGAN_OPERATION_ADD,
          .n_inputs = 1 + n_jumps,
          .activation =
              is_last ? SRGAN_ACTIVATION_NONE : SRGAN_ACTIVATION_SPLINE,
          .slope = slopes,
      };

      sums[0] = map;
      memcpy (sum.inputs, sums, (1 + n_jumps) * sizeof *sums);
      map = srgan_build_layer (build, &sum);
    }
    maps[i + 1] = map;
    if (g > 0 && !is_last) {
      const Tensor *matrix = NEXT;
      const Tensor *linear_bias = shape->linear_bias ? NEXT : NULL;
      const Tensor *vector_curve = NEXT;

      vectors[i + 1] =
          build_vector (build, map, srgan_build_name (build, "vector%u", i + 1),
              out, g * out, matrix, linear_bias, vector_curve);
    }
  }
#undef NEXT
  last = srgan_build_shuffle (build, maps[n_layers], "shuffle", shape->factor);
  base = srgan_build_resize (
      build, input, "base", shape->factor, SRGAN_FILTER_BILINEAR);
  return srgan_build_add (build, "sum", last, base);
}

SrganNetwork *
srgan_read_rsr (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (GByteArray) payload = unpack (source, error);
  g_autoptr (GArray) tensors = NULL;
  g_autoptr (SrganBuild) build = NULL;
  SrganRsrShape shape;
  guint64 header[4] = {0};
  gboolean is_new = TRUE, found;
  gint map;

  if (payload == NULL)
    return NULL;
  tensors = parse (payload, 4, header);
  found = tensors != NULL && find_shape (tensors, header, TRUE, &shape);
  if (!found) {
    is_new = FALSE;
    g_clear_pointer (&tensors, g_array_unref);
    tensors = parse (payload, 3, header);
    found = tensors != NULL && find_shape (tensors, header, FALSE, &shape);
  }
  if (tensors == NULL) {
    srgan_convert_corrupt (error,
        "its payload is not a list of tensors after a header of 3 or 4 numbers "
        "(is it an .rsr file, and whole?)");
    return NULL;
  }
  if (!found) {
    srgan_convert_unsupported (error,
        "its %u tensors are not those of the original's network, of factor "
        "%" G_GUINT64_FORMAT,
        tensors->len, header[0]);
    return NULL;
  }
  g_free (report->format);
  report->format = g_strdup_printf (
      ".rsr of the original, %s layout", is_new ? "new" : "old");
  if (shape.factor > 4) {
    srgan_convert_unsupported (
        error, "it enlarges by %u; 1 to 4 can be played", shape.factor);
    return NULL;
  }

  build = srgan_build_new (NULL, source->path, options, report);
  map = srgan_build_start_plain (build,
      srgan_build_name (build, "the original's network, width %u, depth 2^%u%s",
          shape.width, shape.log_depth,
          shape.global_factor > 0 ? ", with global nodes" : ""),
      shape.factor, SRGAN_RSR_CHANNELS);
  if (build->error == NULL && map != SRGAN_INPUT_NETWORK)
    srgan_build_fail (build, "its values are 0-1 and its order is rgb");
  map = build_network (build, &shape, tensors, map);
  return srgan_build_finish (build, map, error);
}
