using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Where a norm's numbers lie, float32; 0 for those that it has not.</summary>
internal readonly record struct NormTensors(nuint Weight, nuint Bias);

/// <summary>Where the numbers of the norms of queries and keys lie.</summary>
internal readonly record struct HeadNormTensors(NormTensors Query, NormTensors Key);

/// <summary>A norm by itself or in front of a product: its own launch for many rows; an RMSNorm is part of the product for few.</summary>
internal sealed class InputNorm(CudaProgramContext context, NormNode node, NormTensors tensors)
{
    /// <summary>The norm's own kernel.</summary>
    public KernelInstance Kernel { get; } = NormKernel.Instance(NormKernel.Form(node.Norm), DataType.Float32, context.Layout.TypeOf(node.Y));

    /// <summary>The residual stream.</summary>
    public Value X => node.X;

    /// <summary>Weight [C], float32.</summary>
    public nuint Weight => tensors.Weight;

    /// <summary>ε.</summary>
    public float Epsilon => node.Norm.Epsilon;

    /// <summary>[rows] which of its rows belong to tokens that were drawn.</summary>
    public nuint Drawn => node.X.Rows == Rows.Logits ? context.Batch.LogitDrawn : context.Batch.Drawn;

    /// <summary>Submits the norm.</summary>
    /// <param name="rows">N.</param>
    /// <param name="low">Receives what rounding loses of rows of drawn tokens, in rows as the result's; 0 where nobody wants it.</param>
    public void Run(int rows, nuint low = 0) => context.Launch(Kernel, NormKernel.Shape(rows * Parts, node.GroupSize), new NormParams
    {
        X = context.Address(node.X),
        Weight = tensors.Weight,
        Bias = tensors.Bias,
        Y = context.Address(node.Y),
        Low = low,
        Drawn = Drawn,
        Width = node.GroupSize,
        XStride = ValueLayout.Stride(node.X),
        YStride = ValueLayout.Stride(node.Y),
        Epsilon = node.Norm.Epsilon,
        Parts = Parts,
    });

    // Of a row, normed by themselves.
    private int Parts => node.X.Width / node.GroupSize;
}

/// <summary><see cref="NormNode"/> that is no product's alone.</summary>
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

/// <summary><see cref="HeadNormNode"/> across heads: all queries of a token are one row of a norm, all keys another.</summary>
internal sealed class HeadNormOperation(CudaProgramContext context, HeadNormNode node, HeadNormTensors tensors) : CudaOperation(context)
{
    private readonly HeadNormDescription description = node.Attention.QueryKeyNorm!;
    private readonly KernelInstance kernel = NormKernel.Instance(NormKernel.Form(node.Attention.QueryKeyNorm!.Norm), DataType.Float32, DataType.Float32);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var queries = node.Attention.QueryHeads * node.Attention.HeadSize;
        Run(shape.Tokens, 0, queries, tensors.Query);
        Run(shape.Tokens, queries, node.Attention.KeyValueHeads * node.Attention.HeadSize, tensors.Key);
    }

    private void Run(int rows, int first, int width, NormTensors norm)
    {
        var x = Context.Address(node.QueriesKeysValues) + ((nuint)first * sizeof(float));
        Context.Launch(kernel, NormKernel.Shape(rows, width), new NormParams
        {
            X = x,
            Weight = norm.Weight,
            Bias = norm.Bias,
            Y = x,
            Width = width,
            XStride = ValueLayout.Stride(node.QueriesKeysValues),
            YStride = ValueLayout.Stride(node.QueriesKeysValues),
            Epsilon = description.Norm.Epsilon,
        });
    }
}
