using System.Globalization;
using Weft.Backends.Cuda.Kernels;
using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Interop;
using Weft.Models;
using Weft.Scheduling;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>Opens a device and binds a graph to it; turns what can go wrong into sentences.</summary>
internal static class CudaBackend
{
    // What tensor cores multiply: bf16 from 8.0 on.
    private const int BFloat16Capability = 80;
    private const int OldestCapability = 75;

    /// <summary>There is a driver and a device.</summary>
    public static bool IsPresent()
    {
        try
        {
            return CudaLibraries.Selected == CudaPlatform.Nvidia && CudaDeviceInfo.Count() > 0;
        }
        catch (InteropException)
        {
            return false;
        }
    }

    /// <summary>Binds a fused graph to a device.</summary>
    /// <exception cref="WeftException">The device is missing, too old or too small, or the model has a part without a kernel.</exception>
    public static StepProgram Compile(CudaPlatform platform, StepGraph graph, IModelWeights weights, StepBatch batch, CudaOptions options)
    {
        CudaContext? context = null;
        var memory = "";
        try
        {
            CudaLibraries.Select(platform);
            graph = Fusion.SplitUnlike(graph, (a, b) => DeviceWeights.AreAlike(weights.Find(a), weights.Find(b)));
            graph = Fusion.PlaceExperts(Fusion.RoundInputs(Fusion.SeparateQueries(Fusion.FuseHeads(Fusion.FuseNorms(Fusion.NormRouters(graph))))), ValueLayout.Stride);
            context = CudaContext.Create(options.Ordinal);
            RequireSupported(weights, context.Device);
            graph = Fusion.PadHeads(graph, HeadSizes.Row);
            var type = ChooseType(weights, context.Device, options.ActivationType);
            var types = new AttentionTypes(type, ChooseCache(weights, context.Device, options.CacheType));
            memory = RequireMemory(graph, weights, batch, context, types, options);
            return new CudaProgram(graph, weights, batch, context, types, options);
        }
        catch (CudaException exception) when (exception.Status == CudaResult.OutOfMemory)
        {
            context?.Dispose();
            throw new WeftException($"{weights.Name}: the GPU ran out of memory ({exception.Call}) although it {memory}; {Remedies}", exception);
        }
        catch (InteropException exception)
        {
            context?.Dispose();
            throw new WeftException(exception.Message, exception);
        }
        catch
        {
            context?.Dispose();
            throw;
        }
    }

    private const string Remedies = "ask for a smaller context, a lower precision, or run it on the CPU (--device cpu)";

    private static DataType ChooseType(IModelWeights weights, CudaDeviceInfo device, DataType? wanted)
    {
        if (wanted == DataType.Float32)
            throw new WeftException("CUDA kernels run in bf16 or f16; f32 runs on the CPU (--device cpu)");
        if (wanted == DataType.BFloat16 && device.ComputeCapability < BFloat16Capability)
            throw new WeftException($"{device.Name} has compute capability {device.Major}.{device.Minor} and no bf16: run it in f16");
        if (wanted is { } type)
            return type;
        // Quantized matrices have no type of their own; what was left as numbers has. Of f32, f16 keeps three bits more than bf16.
        var stored = weights.Find(TensorSchema.Embedding).DataType;
        var needsDigits = weights.Model.HasUnscaledScores || weights.Model.HasStateSpaces;
        return stored != DataType.BFloat16 || needsDigits || device.ComputeCapability < BFloat16Capability ? DataType.Float16 : DataType.BFloat16;
    }

    private static DataType ChooseCache(IModelWeights weights, CudaDeviceInfo device, DataType? wanted)
    {
        if (wanted == DataType.Float32)
            throw new WeftException("on CUDA the key/value cache is f16 or bf16; f32 is for the CPU (--device cpu)");
        if (wanted == DataType.BFloat16 && device.ComputeCapability < BFloat16Capability)
            throw new WeftException($"{device.Name} has compute capability {device.Major}.{device.Minor} and no bf16: take a cache of f16");
        if (!weights.Model.HasWideKeys)
            return wanted ?? DataType.Float16;
        return wanted != DataType.Float16 && device.ComputeCapability >= BFloat16Capability ? DataType.BFloat16 : throw new WeftException(
            $"{weights.Name}: over {weights.Model.ContextLength} tokens the keys of this model take more powers of two than f16 has: take a cache of bf16 on a GPU that has it, or run it on the CPU (--device cpu)");
    }

    private static void RequireSupported(IModelWeights weights, CudaDeviceInfo device)
    {
        if (device.ComputeCapability < OldestCapability)
            throw new WeftException($"{device.Name} has compute capability {device.Major}.{device.Minor}; the kernels need 7.5 or later: run it on the CPU (--device cpu)");
        if (CudaBlocks.Missing(weights.Model) is { Count: > 0 } missing)
            throw new WeftException($"{weights.Name}: there are no CUDA kernels yet for {string.Join(", ", missing)}: run it on the CPU (--device cpu)");
        if (NormKernel.Shape(1, weights.Model.HiddenSize).SharedBytes > device.SharedMemoryPerBlock)
            throw new WeftException($"{weights.Name}: rows of {weights.Model.HiddenSize} values are more than a block of {device.Name} norms: run it on the CPU (--device cpu)");
        foreach (var attention in weights.Model.Attentions)
        {
            if (attention.Latent is { } latent)
            {
                if (AttentionLatentKernel.Shape(1, 1, 1, attention.HeadSize).SharedBytes > device.SharedMemoryPerBlock)
                    throw new WeftException($"{weights.Name}: latent vectors of {latent.Rank} values are more than a block of {device.Name} attends to: run it on the CPU (--device cpu)");
                continue;
            }

            if (!HeadSizes.Fits(attention.HeadSize))
                throw new WeftException($"{weights.Name}: attention heads of {attention.HeadSize} have no CUDA kernel (even sizes up to {HeadSizes.All[^1]} have one): run it on the CPU (--device cpu)");
            if (attention.QueryHeads / attention.KeyValueHeads > AttentionPrefillKernel.TileRows)
                throw new WeftException($"{weights.Name}: {attention.QueryHeads} query heads over {attention.KeyValueHeads} key heads are more than a tile of the CUDA kernel holds: run it on the CPU (--device cpu)");
        }
    }

    /// <summary>Refuses what cannot fit; says what it needs and what is free.</summary>
    private static string RequireMemory(StepGraph graph, IModelWeights weights, StepBatch batch, CudaContext context, AttentionTypes types, CudaOptions options)
    {
        var model = weights.Model;
        var layout = new ValueLayout(graph, types);
        var matrices = DeviceWeights.CountBytes(graph, weights, types.Result);
        var workspace = DeviceWeights.CountWorkspace(graph, weights, types.Result, batch.MostTokens, context.Device.Multiprocessors, options.BatchInvariant);
        var cache = DeviceKvCache.CountBytes(model, types.Cache, options.CacheBlocks) + DeviceStates.CountBytes(options.StateSlots, graph.StateSize);
        var decode = DecodeWorkspace.CountBytes(model, batch, options.MaxPositions);
        var working = MemoryPlan.Create(graph, batch.MostTokens, batch.MaxLogitRows, layout.RowBytes).Size + DeviceTokenCounts.CountBytes(batch.MaxSequences, model.VocabularySize)
            + workspace.Numbers + workspace.Input + workspace.Counters + decode.Partial + decode.Counters + CudaBlas.CountBytes(context.Device);
        var (free, _) = context.MemoryInfo();
        var need = matrices + cache + working;
        var figures = $"needs {Size(need)} on the GPU (weights {Size(matrices)}, cache {Size(cache)}, working memory {Size(working)}) and {Size(free)} are free";
        return need <= free ? figures : throw new WeftException($"{weights.Name}: {figures}; {Remedies}");
    }

    private static string Size(long bytes) => bytes < 1e9
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F2} GB");
}
