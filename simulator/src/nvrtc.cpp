// NVRTC's functions over the host compiler: the kernel's own text, our header in place of the hardware's, and a table of the instances
// that the name expressions ask for. The "cubin" is the shared library.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "device.h"
#include "embedded.h"

namespace fs = std::filesystem;

namespace {

enum Status : int {
  kOk = 0,
  kCreationFailure = 2,
  kInvalidInput = 3,
  kInvalidOption = 5,
  kCompilation = 6,
  kAfterCompilation = 8,
  kBeforeCompilation = 9,
  kNotValid = 10,
  kInternal = 11
};

struct Program {
  std::string source, name;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> expressions, lowered;
  std::string log, image;
  bool compiled = false;
};

constexpr const char* kPtxHeader = "common/ptx.cuh";
// The one option that real NVRTC does not have.
constexpr const char* kCountersOption = "--software-device-counters";

void write_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

// The kernel file as it is, then one entry for each instance.
std::string translation_unit(const Program& program) {
  std::ostringstream text;
  text << "#line 1 " << quoted(program.name) << "\n" << program.source << "\n#line 1 \"name expressions\"\n";
  for (size_t i = 0; i < program.expressions.size(); ++i) {
    text << "static void cudasim_call_" << i << "(const void* p) { ::cudasim::call(&" << program.expressions[i] << ", p); }\n";
    text << "using CudasimParameters" << i << " = decltype(::cudasim::parameters_of(&" << program.expressions[i] << "))::Type;\n";
  }
  text << "extern \"C\" __attribute__((visibility(\"default\"))) const ::cudasim::Entry cudasim_entries[] = {\n";
  for (size_t i = 0; i < program.expressions.size(); ++i)
    text << "  {" << quoted(program.expressions[i]) << ", \"" << program.lowered[i] << "\", sizeof(CudasimParameters" << i
         << "), cudasim_call_" << i << "},\n";
  text << "  {nullptr, nullptr, 0, nullptr}};\n"
       << "extern \"C\" __attribute__((visibility(\"default\"))) const int cudasim_entry_count = " << program.expressions.size() << ";\n";
  return text.str();
}

// Runs a program with its output in a file; its exit status.
int execute(const std::vector<std::string>& arguments, const fs::path& output) {
  std::vector<char*> pointers;
  for (const auto& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, 1);
    dup2(file, 2);
    execvp(pointers[0], pointers.data());
    const char* message = "g++ was not found: the software CUDA device compiles kernels with it\n";
    if (write(2, message, strlen(message)) < 0) _exit(126);
    _exit(127);
  }
  int status = 0;
  pid_t ended;
  do ended = waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (child < 0 || ended != child) return 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int build(std::vector<std::string> arguments, const fs::path& folder) {
  for (const char* option : {"-march=native", "-shared", "kernel.cpp", "-o", "kernel.so"})
    arguments.push_back(strstr(option, "kernel") ? (folder / option).string() : option);
  return execute(arguments, folder / "log");
}

// The same instructions on every machine, one scalar operation for each of the kernel's. The hooks are linked in without hooks.
int build_with_counters(std::vector<std::string> arguments, const fs::path& folder) {
  write_file(folder / "counters.cpp", sim::kCounters);
  for (const char* option : {"-march=x86-64-v3", "-fno-tree-vectorize", "-fno-tree-slp-vectorize", "-DCUDASIM_COUNTERS"})
    arguments.push_back(option);
  auto hooks = arguments;
  for (const char* option : {"-fsanitize=thread", "-fsanitize-coverage=trace-pc", "--param=tsan-instrument-func-entry-exit=0", "-c"})
    arguments.push_back(option);
  arguments.insert(arguments.end(), {(folder / "kernel.cpp").string(), "-o", (folder / "kernel.o").string()});
  const int status = execute(arguments, folder / "log");
  if (status != 0) return status;
  hooks.insert(hooks.end(),
               {"-shared", (folder / "kernel.o").string(), (folder / "counters.cpp").string(), "-o", (folder / "kernel.so").string()});
  return execute(hooks, folder / "log");
}

int compile(Program& program, const std::vector<std::string>& options) {
  std::error_code ignored;
  std::string folder_name = fs::temp_directory_path(ignored) / "cudasim-XXXXXX";
  if (!mkdtemp(folder_name.data())) return kInternal;
  const fs::path folder = folder_name;
  std::string architecture = "900";
  bool counts = false;
  for (const auto& option : options) {
    const auto at = option.find("sm_");
    if (at != std::string::npos) architecture = std::to_string(atoi(option.c_str() + at + 3) * 10);
    counts |= option == kCountersOption;
  }

  write_file(folder / "thread.h", sim::kThread);
  write_file(folder / "cudasim.h", sim::kPrelude);
  for (const auto& [name, text] : program.headers) write_file(folder / name, name == kPtxHeader ? sim::kPtx : text);
  write_file(folder / "kernel.cpp", translation_unit(program));
  std::vector<std::string> arguments = {"g++",
                                        "-std=c++17",
                                        "-O2",
                                        "-ffp-contract=fast",
                                        "-fno-strict-aliasing",
                                        "-fPIC",
                                        "-g1",
                                        "-w",
                                        "-fvisibility=hidden",
                                        "-fno-omit-frame-pointer",
                                        "-ffixed-r15",  // the thread's state
                                        "-D__CUDA_ARCH__=" + architecture,
                                        "-I",
                                        folder.string(),
                                        "-include",
                                        (folder / "cudasim.h").string()};
  for (const auto& option : options)
    if (option.rfind("-D", 0) == 0) arguments.push_back(option);
  const int status = counts ? build_with_counters(arguments, folder) : build(arguments, folder);
  program.log = read_file(folder / "log");
  if (status == 0) program.image = read_file(folder / "kernel.so");
  fs::remove_all(folder, ignored);
  return status == 0 ? kOk : kCompilation;
}

}  // namespace

SIM_EXPORT int nvrtcVersion(int* major, int* minor) {
  SIM_FAULT();
  *major = 13;
  *minor = 0;
  return kOk;
}

SIM_EXPORT const char* nvrtcGetErrorString(int status) {
  switch (status) {
    case kOk:
      return "NVRTC_SUCCESS";
    case 1:
      return "NVRTC_ERROR_OUT_OF_MEMORY";
    case kCreationFailure:
      return "NVRTC_ERROR_PROGRAM_CREATION_FAILURE";
    case kInvalidInput:
      return "NVRTC_ERROR_INVALID_INPUT";
    case 4:
      return "NVRTC_ERROR_INVALID_PROGRAM";
    case kInvalidOption:
      return "NVRTC_ERROR_INVALID_OPTION";
    case kCompilation:
      return "NVRTC_ERROR_COMPILATION";
    case 7:
      return "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE";
    case kAfterCompilation:
      return "NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION";
    case kBeforeCompilation:
      return "NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION";
    case kNotValid:
      return "NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID";
    default:
      return "NVRTC_ERROR_INTERNAL_ERROR";
  }
}

SIM_EXPORT int nvrtcGetNumSupportedArchs(int* count) {
  SIM_FAULT();
  *count = 5;
  return kOk;
}

SIM_EXPORT int nvrtcGetSupportedArchs(int* architectures) {
  SIM_FAULT();
  const int all[] = {75, 80, 86, 89, 90};
  memcpy(architectures, all, sizeof all);
  return kOk;
}

SIM_EXPORT int nvrtcCreateProgram(Program** result, const char* source, const char* name, int count, const char* const* headers,
                                  const char* const* names) {
  SIM_FAULT();
  auto* program = new Program{source, name ? name : "default_program", {}, {}, {}, {}, {}, false};
  for (int i = 0; i < count; ++i) program->headers.emplace_back(names[i], headers[i]);
  *result = program;
  return kOk;
}

SIM_EXPORT int nvrtcDestroyProgram(Program** program) {
  SIM_FAULT();
  delete *program;
  *program = nullptr;
  return kOk;
}

SIM_EXPORT int nvrtcAddNameExpression(Program* program, const char* expression) {
  SIM_FAULT();
  if (program->compiled) return kAfterCompilation;
  for (const auto& own : program->expressions)
    if (own == expression) return kOk;
  program->lowered.push_back("cudasim_kernel_" + std::to_string(program->expressions.size()));
  program->expressions.emplace_back(expression);
  return kOk;
}

SIM_EXPORT int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  SIM_FAULT();
  program->compiled = true;
  return compile(*program, {options, options + count});
}

SIM_EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* size) {
  SIM_FAULT();
  *size = program->log.size() + 1;
  return kOk;
}

SIM_EXPORT int nvrtcGetProgramLog(Program* program, char* log) {
  SIM_FAULT();
  memcpy(log, program->log.c_str(), program->log.size() + 1);
  return kOk;
}

SIM_EXPORT int nvrtcGetCUBINSize(Program* program, size_t* size) {
  SIM_FAULT();
  *size = program->image.size();
  return kOk;
}

SIM_EXPORT int nvrtcGetCUBIN(Program* program, char* image) {
  SIM_FAULT();
  memcpy(image, program->image.data(), program->image.size());
  return kOk;
}

// There is no virtual architecture: what serves as PTX is the same library.
SIM_EXPORT int nvrtcGetPTXSize(Program* program, size_t* size) {
  SIM_FAULT();
  *size = program->image.size();
  return kOk;
}

SIM_EXPORT int nvrtcGetPTX(Program* program, char* image) {
  SIM_FAULT();
  memcpy(image, program->image.data(), program->image.size());
  return kOk;
}

SIM_EXPORT int nvrtcGetLoweredName(Program* program, const char* expression, const char** name) {
  SIM_FAULT();
  if (!program->compiled) return kBeforeCompilation;
  for (size_t i = 0; i < program->expressions.size(); ++i) {
    if (program->expressions[i] != expression) continue;
    *name = program->lowered[i].c_str();
    return kOk;
  }
  return kNotValid;
}
