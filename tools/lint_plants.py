"""What `tools/lint --self-test` plants: path: (rules that must find it, text). The last ones are
good and must be found by none."""


def repeated(line, times):
    return "".join(line.format(i) + "\n" for i in range(times))


HEADER = """/* A plant. */
#ifndef PLANT_H
#define PLANT_H

{}
#endif
"""

LONG_FUNCTION = """static int f(int x)
{
""" + repeated("  x += {};", 68) + """  return x;
}

int weir__plant_long(int x)
{
  return f(x);
}
"""

# 69 lines: a string with a brace, a comment with one, a macro with one, a struct behind a function.
GOOD_C = """/* Good. */
#include <stdint.h>
#include <string.h>

#define PLANT_OPEN {

struct plant {
  int (*call)(int x);
};

static const struct plant constants[] = {
    {.call = NULL},
};

/* } */
int weir__plant_good(int x)
{
""" + repeated("  x += {};", 63) + """  if (x > '{' && strlen("}") == 1) {
    return constants[0].call != NULL;
  }
  return x;
}
"""

GOOD_HEADER = """/* Good. */
#ifndef PLANT_GOOD_H
#define PLANT_GOOD_H

#include <weir/attributes.h>

/* A structure with a function pointer, and a callback. */
struct weir_plant {
  int (*call)(void *arg);
};
typedef void (*weir_plant_fn)(int x);

/* Two of one kind. */
WEIR_ANY_THREAD int weir_plant_one(void);
WEIR_LOOP_THREAD struct weir_plant *weir_plant_two(int x,
                                                   int y);

#endif
""".replace(",\n                                                   ", ", ")

GOOD_CXX = """/* Good. */
#ifndef PLANT_GOOD_HPP
#define PLANT_GOOD_HPP

#include <string>

namespace weir
{

/* A class. */
class plant
{
public:
  explicit plant(int x) : x_(x), name_{"{"} {}
  int x() const
  {
    return x_;
  }

private:
  int x_;
  std::string name_;
};

namespace detail
{
template <class T> T plant_twice(T x)
{
  return x + x;
}
} // namespace detail

/* A function. */
inline int plant_twice(int x)
{
  return detail::plant_twice(x);
}

} // namespace weir

#endif
"""

PLANTS = {
    "core/io/plant_io.h": ([], HEADER.format("struct plant;\n")),
    "core/wire/plant_wire.h": ([], HEADER.format("struct plant;\n")),
    "core/wire/plant_io.c": (["include_directions"], '#include "io/plant_io.h"\n'),
    "core/io/plant_wire.c": (["include_directions"], '#include "wire/plant_wire.h"\n'),
    "core/base/plant_io.c": (["include_directions"], '#include "io/plant_io.h"\n'),
    "core/ws/plant_near.c": (["include_directions"], '#include "plant_near.h"\n'),
    "core/ws/plant_near.h": ([], HEADER.format("struct plant;\n")),
    "core/include/weir/plant_private.h": (
        ["include_directions", "headers_alone"], HEADER.format('#include "io/plant_io.h"\n')),
    "cpp/include/weir/plant_private.hpp": (
        ["include_directions"], HEADER.format("#include <sys/epoll.h>\n")),
    "core/wire/plant_kernel.c": (["include_directions"], "#include <unistd.h>\n"),
    "core/base/plant_sys.h": ([], HEADER.format('#include "base/sys.h"\n')),
    "core/wire/plant_sys.c": (["wire_is_pure"], '#include "base/plant_sys.h"\n'),
    "core/ws/plant_ring_a.h": (["include_cycles"], HEADER.format('#include "ws/plant_ring_b.h"\n')),
    "core/ws/plant_ring_b.h": (
        ["include_cycles"],
        HEADER.format('#include "ws/plant_ring_a.h"\n').replace("PLANT_H", "PLANT_B_H")),
    "core/ws/plant_long_file.h": (["file_length"], HEADER.format(repeated("struct p{};", 600))),
    "core/ws/plant_long_function.c": (["function_length"], LONG_FUNCTION),
    "tests/unit/plant_long_test.cpp": (
        ["function_length"],
        "namespace\n{\nTEST(Plant, Long)\n{\n" + repeated("  f({});", 70) + "}\n} // namespace\n"),
    "tools/plant.py": (["line_length"], "#" * 101 + "\n"),
    "core/io/plant_top.c": (["file_top"], "/*\n" + " * Too much.\n" * 11 + " */\n"),
    "core/io/plant_no_top.h": (["file_top"], "struct plant;\n"),
    "core/io/plant_word.c": (["forbidden_words"], "/* TO" "DO: more. */\n"),
    "core/include/weir/plant_marker.h": (
        ["thread_markers"], HEADER.format("/* Unmarked. */\nint weir_plant_unmarked(int x);\n")),
    "core/include/weir/plant_silent.h": (["thread_markers"], HEADER.format(
        "#include <weir/attributes.h>\n\nWEIR_ANY_THREAD int weir_plant_silent(int x);\n")),
    "cpp/include/weir/plant_silent.hpp": (["cpp_documented"], HEADER.format(
        "namespace weir\n{\n\nint plant_silent(int x);\n\n} // namespace weir\n")),
    "core/io/plant_alone.h": (["headers_alone"], HEADER.format("size_t weir__plant_size(void);\n")),
    "core/io/plant_cxx.h": (["headers_alone"], HEADER.format("int weir__plant_cxx(int class);\n")),
    "core/io/plant_layout.c": (["clang_format"], "int  weir__plant_layout( void );\n"),
    "core/wire/plant_alloc.c": (
        ["object_symbols"],
        "#include <stddef.h>\n\nvoid *malloc(size_t size);\nvoid *weir__plant_alloc(void)\n{\n"
        "  return malloc(1);\n}\n"),
    "core/io/plant_syscall.c": (
        ["object_symbols"],
        "#include <unistd.h>\n\nint weir__plant_syscall(void)\n{\n  return close(1);\n}\n"),
    "core/io/plant_thread.c": (
        ["object_symbols"],
        "#include <pthread.h>\n\nint weir__plant_thread(pthread_t thread)\n{\n"
        "  return pthread_join(thread, NULL);\n}\n"),
    "core/ws/plant_data.c": (["no_global_state"], "int weir__plant_data = 1;\n"),
    "core/ws/plant_bss.c": (
        ["no_global_state"],
        "int weir__plant_bss(void)\n{\n  static int count;\n  return ++count;\n}\n"),
    "core/ws/plant_thread_local.c": (["no_global_state"], "_Thread_local int weir__plant_tls;\n"),
    "core/wire/plant_good.c": ([], GOOD_C),
    "core/include/weir/plant_good.h": ([], GOOD_HEADER),
    "cpp/include/weir/plant_good.hpp": ([], GOOD_CXX),
}
