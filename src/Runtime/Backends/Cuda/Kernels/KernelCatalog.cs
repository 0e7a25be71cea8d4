using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Every kernel instance that a reference checkpoint or a listed model needs, for checks that cover them all.</summary>
internal static class KernelCatalog
{
    /// <summary>All instances for an architecture. bf16 needs 8.0: before it, the runtime runs f16.</summary>
    /// <param name="computeCapability">80 for 8.0.</param>
    public static IEnumerable<KernelInstance> For(int computeCapability) =>
        NormKernel.Instances
            .Concat(EmbeddingKernel.Instances)
            .Concat(RotaryCacheWriteKernel.Instances)
            .Concat(VirtualTokenKernels.Instances)
            .Concat(ActivationKernel.Instances)
            .Concat(CopyKernels.Instances)
            .Concat(StateKernels.Instances)
            .Concat(MixKernels.Instances)
            .Append(AddKernel.Instance)
            .Append(ScaleLogitsKernel.Instance)
            .Concat(GemvKernel.Instances)
            .Concat(GemmKernel.Instances)
            .Concat([RouteKernel.Route, RouteKernel.Sort, CombineKernel.Instance])
            .Concat(ExpertProductKernel.Instances)
            .Concat(QuantizedGemvKernel.Instances)
            .Concat(QuantizedGemmKernel.Instances(computeCapability))
            .Concat(DequantizeKernel.Instances)
            .Concat(AttentionPrefillKernel.Instances(computeCapability))
            .Concat(AttentionDecodeKernel.Instances)
            .Concat(HeadLinearKernel.Instances)
            .Concat(LatentWriteKernel.Instances)
            .Concat(AttentionLatentKernel.Instances)
            .Concat(SamplingKernel.Instances)
            .Where(instance => computeCapability >= 80 || !instance.Expression.Contains(DataType.BFloat16.CudaName(), StringComparison.Ordinal))
            .Distinct();

    /// <summary>
    /// Registers that a thread of an instance may take, so that as many warps fit a multiprocessor (of 65 536 registers) as hide the
    /// kernel's memory latency: 32 where it does nothing but move rows, 16 for a product that has several loads under way in each thread, for sampling, which has one block a row, and for recurrences that keep a state in registers,
    /// 12 for decode. Prefill and products of many rows keep their tiles in registers and hide latency with copies in the background: they may take all there are.
    /// </summary>
    public static int MostRegisters(KernelInstance instance) => instance.Source switch
    {
        "attention_prefill.cu" or "attention_latent.cu" or "gemm.cu" or "quantized_gemm.cu" => 255,
        "attention_decode.cu" => 168,
        "gemv.cu" or "quantized_gemv.cu" or "head_linear.cu" or "sampling.cu" or "scan.cu" or "decay.cu" or "delta_rule.cu" => 128,
        _ => 64,
    };

    /// <summary>The size of the params struct's twin, by kernel source.</summary>
    public static unsafe int ParameterBytes(KernelInstance instance) => instance switch
    {
        { Source: "norm.cu" } => sizeof(NormParams),
        { Source: "embedding.cu" } => sizeof(EmbeddingParams),
        { Source: "rotary_cache_write.cu" } => sizeof(RotaryCacheWriteParams),
        { Source: "virtual_tokens.cu" } when instance.Expression.StartsWith("weft::virtual_keys", StringComparison.Ordinal) => sizeof(VirtualKeysParams),
        { Source: "virtual_tokens.cu" } => sizeof(VirtualRowsParams),
        { Source: "activation.cu" } => sizeof(ActivationParams),
        { Source: "add.cu" } => sizeof(AddParams),
        { Source: "mix.cu" } => sizeof(MixParams),
        { Source: "bonus.cu" } => sizeof(BonusParams),
        { Source: "token_shift.cu" } => sizeof(TokenShiftParams),
        { Source: "average.cu" } => sizeof(AverageParams),
        { Source: "decay.cu" } => sizeof(DecayParams),
        { Source: "delta_rule.cu" } => sizeof(DeltaRuleParams),
        { Source: "convolution.cu" } => sizeof(ConvolutionParams),
        { Source: "scan.cu" } => sizeof(ScanParams),
        { Source: "scale_logits.cu" } => sizeof(ScaleLogitsParams),
        { Source: "sampling.cu" } => sizeof(SamplingParams),
        { Source: "route.cu", Expression: "weft::route" } => sizeof(RouteParams),
        { Source: "route.cu" } => sizeof(SortParams),
        { Source: "combine.cu" } => sizeof(CombineParams),
        { Source: "quantized_gemv.cu" } when instance.Expression.Contains("ExpertRows", StringComparison.Ordinal) => sizeof(ExpertParams<QuantizedGemvParams>),
        { Source: "gemv.cu" } when instance.Expression.EndsWith("ExpertRows>", StringComparison.Ordinal) => sizeof(ExpertParams<GemvParams>),
        { Source: "gemm.cu" } when instance.Expression.EndsWith("ExpertRows>", StringComparison.Ordinal) => sizeof(ExpertParams<GemmParams>),
        { Source: "gemv.cu" } => sizeof(GemvParams),
        { Source: "gemm.cu" } => sizeof(GemmParams),
        { Source: "quantized_gemv.cu" } => sizeof(QuantizedGemvParams),
        { Source: "quantized_gemm.cu" } => sizeof(QuantizedGemmParams),
        { Source: "dequantize.cu" } when instance.Expression.StartsWith("weft::order", StringComparison.Ordinal) => sizeof(OrderColumnsParams),
        { Source: "dequantize.cu" } => sizeof(DequantizeParams),
        { Source: "attention_prefill.cu" } => sizeof(AttentionPrefillParams),
        { Source: "attention_decode.cu" } => sizeof(AttentionDecodeParams),
        { Source: "head_linear.cu" } => sizeof(HeadLinearParams),
        { Source: "latent_write.cu" } => sizeof(LatentWriteParams),
        { Source: "attention_latent.cu" } => sizeof(AttentionLatentParams),
        { Source: "copy.cu", Expression: "weft::copy_block" } => sizeof(CopyBlockParams),
        { Source: "copy.cu" } when instance.Expression.StartsWith("weft::fill", StringComparison.Ordinal) => sizeof(FillParams),
        { Source: "copy.cu" } when instance.Expression.StartsWith("weft::copy_heads", StringComparison.Ordinal) => sizeof(CopyHeadsParams),
        { Source: "copy.cu" } => sizeof(CopyRowsParams),
        _ => throw new ArgumentOutOfRangeException(nameof(instance), instance, "this kernel has no twin"),
    };
}
