/* convert: mpv's user shaders, which networks are published as
 * (https://mpv.io/manual/stable/#options-glsl-shaders): what the parts of their
 * reader share.
 *
 *   shader-language.c  the text of a pass as a syntax tree
 *   shader-number.c    numbers that depend on the picture
 *   shader-run.c       runs a pass for one pixel, on such numbers
 *   shader.c           the passes, and what they compute as a graph
 *
 * A pass is run, not looked at: whatever its spelling, each number that it
 * gives is a sum of texels with known factors, or a ReLU of one, and so on.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/reader.h"

G_BEGIN_DECLS

/* What a pass may take; beyond these it is taken for nonsense. */
#define SRGAN_SHADER_MAX_TOKENS 600000
#define SRGAN_SHADER_MAX_DEPTH 100       /* parentheses, blocks, functions */
#define SRGAN_SHADER_MAX_ITEMS (1 << 16) /* of an array */
#define SRGAN_SHADER_MAX_ATOMS (1 << 17)
#define SRGAN_SHADER_MAX_BYTES (96u << 20)
#define SRGAN_SHADER_MAX_STEPS (G_GUINT64_CONSTANT (1) << 28)

/* Sets @error, unless it is set already, to what is wrong with line @line. */
void srgan_shader_refuse (GError **error, guint line, const gchar *format,
    va_list arguments) G_GNUC_PRINTF (3, 0);

/* --- Memory that goes all at once ---------------------------------------- */

typedef struct {
  GPtrArray *blocks;
  guint8 *next;
  gsize left;
  gsize total; /* bytes; callers stop at SRGAN_SHADER_MAX_BYTES */
} SrganArena;

void srgan_arena_init (SrganArena *arena);
void srgan_arena_clear (SrganArena *arena);
/* Zeroed. */
gpointer srgan_arena_alloc (SrganArena *arena, gsize size);

/* --- Numbers that depend on the picture ---------------------------------- */

typedef struct {
  guint atom;
  gdouble factor;
} SrganShaderTerm;

/* constant + the sum of its terms, in order of their atoms; no terms: a plain
 * number. */
typedef struct {
  gdouble constant;
  guint n;
  const SrganShaderTerm *terms;
} SrganShaderNumber;

typedef enum {
  SRGAN_SHADER_SAMPLE,   /* component of texture's texel (x, y) */
  SRGAN_SHADER_POSITIVE, /* max (of, 0) */
  SRGAN_SHADER_NEGATIVE, /* max (-of, 0) */
  SRGAN_SHADER_CLIP,     /* of within low and high */
  SRGAN_SHADER_TANH,     /* tanh (of) */
} SrganShaderAtomKind;

typedef struct {
  SrganShaderAtomKind kind;
  guint texture;
  guint component;
  gint x, y;
  SrganShaderNumber of;
  gdouble low, high;
} SrganShaderAtom;

typedef struct {
  GPtrArray *atoms; /* of SrganShaderAtom, each once */
  GHashTable *index;
  SrganArena kept;    /* what atoms are made of, results */
  SrganArena scratch; /* what comes up while a pass runs */
  guint64 n_steps;    /* so far */
} SrganShaderNumbers;

void srgan_shader_numbers_init (SrganShaderNumbers *numbers);
void srgan_shader_numbers_clear (SrganShaderNumbers *numbers);
/* FALSE with @error set when more was computed than any shader needs. */
gboolean srgan_shader_numbers_check (
    SrganShaderNumbers *numbers, GError **error);

SrganShaderNumber srgan_shader_constant (gdouble constant);
SrganShaderNumber srgan_shader_sample (SrganShaderNumbers *numbers,
    guint texture, guint component, gint x, gint y);
/* @a + @factor @b */
SrganShaderNumber srgan_shader_add (SrganShaderNumbers *numbers,
    SrganShaderNumber a, SrganShaderNumber b, gdouble factor);
SrganShaderNumber srgan_shader_scale (
    SrganShaderNumbers *numbers, SrganShaderNumber a, gdouble factor);
/* @constant and the @terms, in any order, which it sorts. */
SrganShaderNumber srgan_shader_sum (SrganShaderNumbers *numbers,
    gdouble constant, SrganShaderTerm *terms, guint n);
/* A function, but for sample; @low and @high for clip. */
SrganShaderNumber srgan_shader_apply (SrganShaderNumbers *numbers,
    SrganShaderAtomKind kind, SrganShaderNumber of, gdouble low, gdouble high);
/* @a, in memory that stays. */
SrganShaderNumber srgan_shader_keep (
    SrganShaderNumbers *numbers, SrganShaderNumber a);
const SrganShaderAtom *srgan_shader_get_atom (
    const SrganShaderNumbers *numbers, guint atom);
/* The same but for rounding. */
gboolean srgan_shader_same (SrganShaderNumbers *numbers, SrganShaderNumber a,
    SrganShaderNumber b, guint depth);

/* --- Syntax -------------------------------------------------------------- */

typedef enum {
  SRGAN_SYNTAX_NUMBER,    /* number */
  SRGAN_SYNTAX_NAME,      /* name */
  SRGAN_SYNTAX_CALL,      /* name, of `type` where is_type; first: arguments */
  SRGAN_SYNTAX_INDEX,     /* first[second] */
  SRGAN_SYNTAX_MEMBER,    /* first.name */
  SRGAN_SYNTAX_UNARY,     /* operation first */
  SRGAN_SYNTAX_BINARY,    /* first operation second */
  SRGAN_SYNTAX_ASSIGN,    /* first operation= second; operation 0: = */
  SRGAN_SYNTAX_STEP,      /* first++ and so on; operation + or -, is_prefix */
  SRGAN_SYNTAX_CONDITION, /* first ? second : third */
  SRGAN_SYNTAX_LIST,      /* { first, ... } */
  /* statements */
  SRGAN_SYNTAX_DECLARE, /* type name[first] = second; third: more of one type */
  SRGAN_SYNTAX_EXPRESSION, /* first; */
  SRGAN_SYNTAX_IF,         /* first: condition, second, third: else */
  SRGAN_SYNTAX_LOOP,       /* first: beginning, second: condition, third: step,
                              body; any may be absent */
  SRGAN_SYNTAX_RETURN,     /* first */
  SRGAN_SYNTAX_BREAK,
  SRGAN_SYNTAX_CONTINUE,
  SRGAN_SYNTAX_BLOCK,    /* first, ... */
  SRGAN_SYNTAX_FUNCTION, /* type name (first: declarations) body */
} SrganSyntaxKind;

typedef enum {
  SRGAN_SHADER_FLOAT,
  SRGAN_SHADER_INTEGER,
  SRGAN_SHADER_BOOLEAN,
  SRGAN_SHADER_VOID,
} SrganShaderBase;

/* A number, a vector of rows or a matrix. */
typedef struct {
  SrganShaderBase base;
  guint columns; /* 1: a vector or number */
  guint rows;
} SrganShaderType;

/* What operation is, where one character does not say it. */
enum {
  SRGAN_SHADER_LESS_EQUAL = 256,
  SRGAN_SHADER_GREATER_EQUAL,
  SRGAN_SHADER_EQUAL,
  SRGAN_SHADER_UNEQUAL,
  SRGAN_SHADER_AND,
  SRGAN_SHADER_OR,
  SRGAN_SHADER_LEFT,
  SRGAN_SHADER_RIGHT,
};

typedef struct _SrganSyntax SrganSyntax;
struct _SrganSyntax {
  SrganSyntaxKind kind;
  guint line;
  gint operation;
  const gchar *name; /* one pointer for each name */
  gdouble number;
  SrganShaderType type;
  gboolean is_type;    /* call: a constructor; of an array: is_array */
  gboolean is_array;   /* declare, call */
  gboolean is_integer; /* number */
  gboolean is_prefix;
  gboolean is_shared; /* declare */
  SrganSyntax *first, *second, *third, *body;
  SrganSyntax *next; /* in a list of arguments, statements, sizes */
};

/* Names and trees live as long as this does. */
typedef struct {
  GStringChunk *names;
  SrganArena arena;
} SrganSyntaxMemory;

/* The text from @text on, @length bytes, whose first line has the number
 * @line: declarations and functions, a list; %NULL with @error set. */
SrganSyntax *srgan_shader_parse (SrganSyntaxMemory *memory, const gchar *text,
    gsize length, guint line, GError **error);

/* --- Passes -------------------------------------------------------------- */

typedef struct {
  const gchar *name;
  guint n_components; /* others read 0, the fourth 1 */
  gint width, height; /* of the picture for which all is worked out */
  gint pass;          /* that makes it; -1: the picture */
} SrganShaderTexture;

typedef struct {
  guint line;
  gchar *description; /* nullable */
  gchar *save;        /* nullable */
  gchar *width;       /* nullable: in reverse Polish notation, like these: */
  gchar *height;
  gchar *when;
  guint n_components; /* 0: not said */
  gboolean compute;
  gint block[2];   /* texels that a work group makes */
  gint threads[2]; /* of a work group */
  GPtrArray *bind; /* of gchar */
  const gchar *text;
  gsize length;

  SrganSyntax *syntax;
  gint output[2]; /* width, height */
  GArray *bound;  /* of guint: textures, in the order of bind */
  GHashTable *stored;
} SrganShaderPass;

typedef struct {
  SrganSyntaxMemory memory;
  SrganShaderNumbers numbers;
  GPtrArray *passes;    /* of SrganShaderPass */
  GArray *textures;     /* of SrganShaderTexture */
  const gchar *hooked;  /* "LUMA", "MAIN" ... */
  GHashTable *settings; /* //!PARAM: name -> number */
} SrganShader;

/**
 * srgan_shader_run:
 * @shader: a shader
 * @pass: a pass with its syntax, output and bound textures
 * @x: of the texel
 * @y: of the texel
 * @result: (out): its four components
 *
 * Works out what @pass makes of a texel.
 *
 * Returns: whether it could be; else @error names the line and the reason
 */
gboolean srgan_shader_run (SrganShader *shader, SrganShaderPass *pass, gint x,
    gint y, SrganShaderNumber result[4], GError **error);

G_END_DECLS
