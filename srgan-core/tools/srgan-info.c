/* tools: srgan-info: what networks are built in, and what is in one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "network/operations.h"
#include "tool.h"

#include <srgan/srgan.h>
#include <string.h>

static gboolean as_json;
static gint scale;

static const GOptionEntry entries[] = {
    {"json", 'j', 0, G_OPTION_ARG_NONE, &as_json,
        "Print JSON for other programs", NULL},
    {"scale", 's', 0, G_OPTION_ARG_INT, &scale,
        "Which of a built-in's scales, where MODEL does not say", "S"},
    {NULL},
};

static guint64
count_parameters (const SrganLayer *layer)
{
  guint64 n = 0;

  for (guint i = 0; i < SRGAN_N_TENSORS; i++)
    if (srgan_tensor_is_parameter (i) &&
        *srgan_layer_get_tensor ((SrganLayer *) layer, i) != NULL) {
      SrganTensorShape shape;

      srgan_layer_get_tensor_shape (layer, i, &shape);
      n += srgan_tensor_shape_get_n (&shape);
    }
  return n;
}

static const gchar *
get_input_name (SrganNetwork *network, const SrganLayer *layer, guint number)
{
  gint input = layer->inputs[number];

  return input == SRGAN_INPUT_NETWORK
             ? "input"
             : srgan_network_get_layer (network, (guint) input)->name;
}

/* --- JSON --------------------------------------------------------------- */

static void
build_layer (JsonBuilder *builder, SrganNetwork *network, guint index)
{
  const SrganLayer *layer = srgan_network_get_layer (network, index);

  json_builder_begin_object (builder);
  tool_json_add_string (builder, "name", layer->name);
  tool_json_add_string (
      builder, "operation", srgan_operation_to_string (layer->operation));
  json_builder_set_member_name (builder, "inputs");
  json_builder_begin_array (builder);
  for (guint i = 0; i < layer->n_inputs; i++)
    json_builder_add_string_value (builder, get_input_name (network, layer, i));
  json_builder_end_array (builder);
  tool_json_add_count (builder, "in_channels", layer->in_channels);
  if (!srgan_layer_has_attribute (layer, SRGAN_ATTRIBUTE_OUT_CHANNELS))
    tool_json_add_count (builder, "out_channels", layer->out_channels);
  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++) {
    const SrganAttributeInfo *info = srgan_attribute_get_info (i);
    gdouble value = srgan_layer_get_attribute (layer, i);

    if (!srgan_layer_has_attribute (layer, i))
      continue;
    if (info->kind == SRGAN_ATTRIBUTE_UINT)
      tool_json_add_count (builder, info->name, (guint64) value);
    else if (info->kind == SRGAN_ATTRIBUTE_FLOAT)
      tool_json_add_number (builder, info->name, value);
    else
      tool_json_add_string (
          builder, info->name, info->to_string ((guint) value));
  }
  tool_json_add_count (builder, "scale_up", layer->scale_up);
  tool_json_add_count (builder, "scale_down", layer->scale_down);
  tool_json_add_count (builder, "parameters", count_parameters (layer));
  json_builder_set_member_name (builder, "quantised");
  json_builder_add_boolean_value (builder, layer->output_step != NULL);
  tool_json_add_number (builder, "multiply_adds_per_pixel",
      srgan_layer_get_multiply_adds (layer));
  json_builder_end_object (builder);
}

static void
build_network (JsonBuilder *builder, SrganNetwork *network, gboolean layers)
{
  g_auto (GStrv) notes = srgan_network_list_notes (network);
  guint reach = srgan_network_get_reach (network);

  json_builder_begin_object (builder);
  tool_json_add_string (builder, "name", srgan_network_get_name (network));
  tool_json_add_count (builder, "scale", srgan_network_get_scale (network));
  tool_json_add_string (builder, "colour",
      srgan_colour_to_string (srgan_network_get_colour (network)));
  tool_json_add_string (builder, "precision",
      srgan_precision_to_string (srgan_network_get_precision (network)));
  tool_json_add_count (
      builder, "n_layers", srgan_network_get_n_layers (network));
  tool_json_add_count (
      builder, "parameters", srgan_network_get_n_parameters (network));
  tool_json_add_number (builder, "multiply_adds_per_pixel",
      srgan_network_get_multiply_adds (network));
  /* null: the whole frame */
  json_builder_set_member_name (builder, "receptive_field");
  if (reach == G_MAXUINT)
    json_builder_add_null_value (builder);
  else
    json_builder_add_int_value (builder, 2 * (gint64) reach + 1);
  json_builder_set_member_name (builder, "notes");
  json_builder_begin_object (builder);
  for (guint i = 0; notes[i] != NULL; i++)
    tool_json_add_string (
        builder, notes[i], srgan_network_get_note (network, notes[i]));
  json_builder_end_object (builder);
  if (layers) {
    json_builder_set_member_name (builder, "layers");
    json_builder_begin_array (builder);
    for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
      build_layer (builder, network, i);
    json_builder_end_array (builder);
  }
  json_builder_end_object (builder);
}

/* --- Text --------------------------------------------------------------- */

static gchar *
format_thousands (gdouble multiply_adds)
{
  return multiply_adds > 0. ? g_strdup_printf ("%.2f", multiply_adds / 1000.)
                            : g_strdup ("");
}

/* The attributes worth a look: those that have not their standard value and
 * are no column. */
static gchar *
format_attributes (const SrganLayer *layer)
{
  GString *text = g_string_new (NULL);

  if (srgan_layer_has_attribute (layer, SRGAN_ATTRIBUTE_KERNEL_WIDTH))
    g_string_append_printf (
        text, " %ux%u", layer->kernel_width, layer->kernel_height);
  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++) {
    const SrganAttributeInfo *info = srgan_attribute_get_info (i);
    gdouble value = srgan_layer_get_attribute (layer, i);

    if (!srgan_layer_has_attribute (layer, i) ||
        i == SRGAN_ATTRIBUTE_OUT_CHANNELS ||
        i == SRGAN_ATTRIBUTE_KERNEL_WIDTH ||
        i == SRGAN_ATTRIBUTE_KERNEL_HEIGHT ||
        (!info->given && value == info->standard))
      continue;
    if (info->kind == SRGAN_ATTRIBUTE_ENUM)
      g_string_append_printf (
          text, ", %s %s", info->name, info->to_string ((guint) value));
    else
      g_string_append_printf (text, ", %s %g", info->name, value);
  }
  g_string_erase (text, 0, text->str[0] == ',' ? 2 : text->len > 0);
  return g_string_free (text, FALSE);
}

static gchar *
format_inputs (SrganNetwork *network, const SrganLayer *layer)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < layer->n_inputs; i++)
    g_string_append_printf (
        text, "%s%s", i > 0 ? " + " : "", get_input_name (network, layer, i));
  return g_string_free (text, FALSE);
}

static gchar *
format_size (const SrganLayer *layer)
{
  if (layer->scale_up == 0)
    return g_strdup ("1x1");
  if (layer->scale_down > 1)
    return g_strdup_printf ("x%u/%u", layer->scale_up, layer->scale_down);
  return g_strdup_printf ("x%u", layer->scale_up);
}

/* On one line, or, when it has several, indented below its key. */
static void
print_note (const gchar *key, const gchar *value)
{
  g_autofree gchar *text = tool_make_printable (value);
  g_auto (GStrv) lines = NULL;

  g_strchomp (text);
  if (strchr (text, '\n') == NULL) {
    g_print ("%s: %s\n", key, text);
    return;
  }
  g_print ("%s:\n", key);
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    g_print ("%s%s\n", *lines[i] != '\0' ? "  " : "", lines[i]);
}

/* A note's first line, %NULL for none. */
static gchar *
get_first_line (SrganNetwork *network, const gchar *key)
{
  const gchar *note = srgan_network_get_note (network, key);
  g_autofree gchar *line =
      note != NULL ? g_strndup (note, strcspn (note, "\n")) : NULL;

  return line != NULL ? tool_make_printable (line) : NULL;
}

static void
print_network (SrganNetwork *network)
{
  g_auto (GStrv) notes = srgan_network_list_notes (network);
  g_autofree gchar *parameters =
      tool_format_count (srgan_network_get_n_parameters (network));
  guint reach = srgan_network_get_reach (network);
  ToolTable *table;

  g_print ("%s: x%u, %s\n\n", srgan_network_get_name (network),
      srgan_network_get_scale (network),
      srgan_colour_to_string (srgan_network_get_colour (network)));

  table = tool_table_new ("lllrrlrr");
  tool_table_add (table, g_strdup ("LAYER"), g_strdup ("OPERATION"),
      g_strdup ("INPUTS"), g_strdup ("CHANNELS"), g_strdup ("SIZE"),
      g_strdup ("ATTRIBUTES"), g_strdup ("PARAMETERS"),
      g_strdup ("KMAC/PIXEL"));
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    guint64 n = count_parameters (layer);

    tool_table_add (table, g_strdup (layer->name),
        g_strdup (srgan_operation_to_string (layer->operation)),
        format_inputs (network, layer),
        g_strdup_printf ("%u", layer->out_channels), format_size (layer),
        format_attributes (layer), n > 0 ? tool_format_count (n) : NULL,
        format_thousands (srgan_layer_get_multiply_adds (layer)));
  }
  tool_table_print (table);

  g_print ("\nprecision: %s%s\n",
      srgan_precision_to_string (srgan_network_get_precision (network)),
      srgan_network_get_precision (network) == SRGAN_PRECISION_FP32
          ? ""
          : " (and fp32)");
  g_print ("parameters: %s\n", parameters);
  g_print ("multiply-adds for each input pixel: %.0f\n",
      srgan_network_get_multiply_adds (network));
  if (reach == G_MAXUINT)
    g_print ("receptive field: the whole frame\n");
  else
    g_print (
        "receptive field: %ux%u input pixels\n", 2 * reach + 1, 2 * reach + 1);
  for (guint i = 0; notes[i] != NULL; i++)
    print_note (notes[i], srgan_network_get_note (network, notes[i]));
}

static gint
list_builtins (void)
{
  const gchar *const *names = srgan_network_list_builtins ();
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  ToolTable *table = tool_table_new ("lrrrll");

  tool_table_add (table, g_strdup ("NAME"), g_strdup ("LAYERS"),
      g_strdup ("PARAMETERS"), g_strdup ("KMAC/PIXEL"), g_strdup ("LICENCE"),
      g_strdup ("SCORES"));
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "networks");
  json_builder_begin_array (builder);
  for (guint i = 0; names[i] != NULL; i++) {
    GError *error = NULL;
    g_autoptr (SrganNetwork) network =
        srgan_network_open (names[i], 0, NULL, &error);

    if (network == NULL)
      return tool_fail (error);
    build_network (builder, network, FALSE);
    tool_table_add (table, g_strdup (names[i]),
        g_strdup_printf ("%u", srgan_network_get_n_layers (network)),
        tool_format_count (srgan_network_get_n_parameters (network)),
        format_thousands (srgan_network_get_multiply_adds (network)),
        get_first_line (network, "licence"),
        get_first_line (network, "scores"));
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);

  if (as_json) {
    tool_json_print (builder);
    tool_table_free (table);
  } else {
    tool_table_print (table);
  }
  return tool_finish ();
}

gint
main (gint argc, gchar **argv)
{
  g_autoptr (SrganNetwork) network = NULL;
  g_autofree gchar *note = NULL;
  GError *error = NULL;

  tool_parse (&argc, &argv, "srgan-info", "[MODEL]",
      "Lists the networks that are built in or, with MODEL, shows the layers, "
      "the size\nand the cost of one.",
      "MODEL is the name of a built-in network (fast-clean-x2, or fast-clean) "
      "or a\n.safetensors file.\n\nKMAC/PIXEL: thousand multiply-adds for each "
      "pixel of the input.",
      entries, 0, 1);
  if (scale < 0)
    tool_usage_error ("--scale %d is not within 1 to 4", scale);
  if (argc == 1) {
    if (scale != 0)
      tool_usage_error ("--scale needs a MODEL");
    return list_builtins ();
  }

  network = srgan_network_open (argv[1], (guint) scale, &note, &error);
  if (network == NULL)
    return tool_fail (error);
  if (note != NULL)
    tool_warn ("%s", note);
  if (as_json) {
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    build_network (builder, network, TRUE);
    tool_json_print (builder);
  } else {
    print_network (network);
  }
  return tool_finish ();
}
