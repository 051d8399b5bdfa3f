// Memory for zlib that is counted, and that fails when it is told to.
#ifndef WEIR_TESTS_ZMEM_FAKE_HPP
#define WEIR_TESTS_ZMEM_FAKE_HPP

#include "wire/zmem.h"

#include <cstdlib>
#include <cstring>
#include <map>

struct zmem_fake {
  std::map<void *, size_t> blocks;
  size_t bytes = 0;          // held now
  size_t calls = 0;          // of alloc
  size_t failing = SIZE_MAX; // the call that fails

  weir__zmem zmem()
  {
    return {alloc, free, this};
  }

  static void *alloc(void *arg, size_t size)
  {
    auto *self = static_cast<zmem_fake *>(arg);
    if (self->calls++ == self->failing)
      return nullptr;
    void *memory = std::malloc(size);
    std::memset(memory, 0xA5, size); // nobody may count on zeros
    self->blocks[memory] = size;
    self->bytes += size;
    return memory;
  }

  static void free(void *arg, void *memory)
  {
    auto *self = static_cast<zmem_fake *>(arg);
    auto block = self->blocks.find(memory);
    if (block == self->blocks.end())
      std::abort();
    self->bytes -= block->second;
    self->blocks.erase(block);
    std::free(memory);
  }
};

#endif
