// The image of a module is a shared library: it is written to memory that has a file name and opened from there.
#include "module.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "counters.h"

namespace sim {

Library::~Library() {
  if (base_) forget_library(base_);
  dlclose(handle_);
  close(file_);
}

// The section headers end the file that the linker writes.
static size_t image_size(const void* image) {
  const auto* header = static_cast<const Elf64_Ehdr*>(image);
  if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(Elf64_Shdr))
    return 0;
  return header->e_shoff + static_cast<size_t>(header->e_shnum) * header->e_shentsize;
}

Module* load_module(const void* image) {
  const size_t size = image_size(image);
  if (size == 0) return nullptr;
  const int file = memfd_create("kernels", MFD_CLOEXEC);
  const auto* bytes = static_cast<const char*>(image);
  for (size_t written = 0; written < size;) {
    const ssize_t now = write(file, bytes + written, size - written);
    if (now <= 0) {
      close(file);
      return nullptr;
    }
    written += static_cast<size_t>(now);
  }

  const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file);
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto* entries = handle ? static_cast<const cudasim::Entry*>(dlsym(handle, "cudasim_entries")) : nullptr;
  const auto* count = handle ? static_cast<const int*>(dlsym(handle, "cudasim_entry_count")) : nullptr;
  if (!entries || !count) {
    if (handle) dlclose(handle);
    close(file);
    return nullptr;
  }

  Dl_info where = {};
  if (dlsym(handle, "cudasim_has_counters") && dladdr(entries, &where)) learn_library(where.dli_fbase, path);
  auto library = std::make_shared<Library>(handle, file, where.dli_fbase);
  auto* module = new Module();
  for (int i = 0; i < *count; ++i) module->functions.push_back({entries + i, library});
  return module;
}

}  // namespace sim
