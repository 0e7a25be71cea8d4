namespace Weft.Backends.Cuda.Compilation;

/// <summary>A kernel does not compile; the message holds the compiler's whole log.</summary>
public sealed class KernelCompilationException(string message, Exception inner) : WeftException(message, inner);
