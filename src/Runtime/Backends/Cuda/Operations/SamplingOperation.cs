using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Draws a token from every row of logits that has a sampler; the last operation of a step.</summary>
internal sealed class SamplingOperation(CudaProgramContext context, Value logits, DrawnTokens drawn, DeviceTokenCounts counts)
    : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => SamplingKernel.Instances;

    public override void Run(in StepShape shape)
    {
        if (shape.Drawing == Drawing.None)
            return;
        var kernel = shape.Drawing == Drawing.Greedy ? SamplingKernel.Greedy : SamplingKernel.Draw;
        Context.Launch(kernel, SamplingKernel.Shape(shape.LogitRows), new SamplingParams
        {
            Logits = Context.Address(logits),
            Options = Context.Batch.SamplingOptions,
            Seen = counts.Address,
            Tokens = drawn.Address,
            Vocabulary = logits.Width,
            Stride = ValueLayout.Stride(logits),
        });
    }
}
