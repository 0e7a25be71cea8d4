using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>The RMSNorm in front of a product: its own launch for many rows, part of the product for few.</summary>
internal sealed class InputNorm(CudaProgramContext context, NormNode node, nuint weight)
{
    /// <summary>The norm's own kernel.</summary>
    public KernelInstance Kernel { get; } = NormKernel.Instance(NormForm.Rms, DataType.Float32, context.Type);

    /// <summary>The residual stream.</summary>
    public Value X => node.X;

    /// <summary>Weight [C], float32.</summary>
    public nuint Weight => weight;

    /// <summary>ε.</summary>
    public float Epsilon => node.Norm.Epsilon;

    /// <summary>[rows] which of its rows belong to tokens that were drawn.</summary>
    public nuint Drawn => node.X.Rows == Rows.Tokens ? context.Batch.Drawn : context.Batch.LogitDrawn;

    /// <summary>Submits the norm.</summary>
    /// <param name="rows">N.</param>
    /// <param name="low">Receives what rounding loses of rows of drawn tokens, in rows as the result's; 0 where nobody wants it.</param>
    public void Run(int rows, nuint low = 0) => context.Launch(Kernel, NormKernel.Shape(rows, node.X.Width), new NormParams
    {
        X = context.Address(node.X),
        Weight = weight,
        Y = context.Address(node.Y),
        Low = low,
        Drawn = Drawn,
        Width = node.X.Width,
        XStride = ValueLayout.Stride(node.X),
        YStride = ValueLayout.Stride(node.Y),
        Epsilon = node.Norm.Epsilon,
    });
}

/// <summary><see cref="NormNode"/> that several nodes read.</summary>
internal sealed class NormOperation(CudaProgramContext context, InputNorm norm) : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => [norm.Kernel];

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, norm.X);
        if (rows > 0)
            norm.Run(rows);
    }
}
