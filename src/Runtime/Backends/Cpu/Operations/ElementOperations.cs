using System.Numerics.Tensors;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="AddNode"/>: y = scale · a + b.</summary>
internal sealed unsafe class AddOperation(ProgramContext context, AddNode node, float* a, float* b, float* y)
    : RowOperation(context, node.Y.Rows)
{
    protected override void RunRow(int row, int thread)
    {
        var offset = (nint)row * node.Y.Width;
        TensorPrimitives.FusedMultiplyAdd(
            new ReadOnlySpan<float>(a + offset, node.Y.Width), node.Scale, new ReadOnlySpan<float>(b + offset, node.Y.Width), new Span<float>(y + offset, node.Y.Width));
    }
}

/// <summary><see cref="AddPositionsNode"/>.</summary>
internal sealed unsafe class AddPositionsOperation(ProgramContext context, AddPositionsNode node, PositionTable table, float* x, float* y)
    : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var offset = (nint)row * node.Y.Width;
        new Span<float>(x + offset, node.Y.Width).CopyTo(new Span<float>(y + offset, node.Y.Width));
        table.AddTo(y + offset, node.Spans ? Batch.SpanPositions[row] : Batch.TextPositions[row]);
    }
}

/// <summary><see cref="PositionRowsNode"/>.</summary>
internal sealed unsafe class PositionRowsOperation(ProgramContext context, PositionRowsNode node, PositionTable table, float* y)
    : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var target = new Span<float>(y + ((nint)row * node.Y.Width), node.Y.Width);
        target.Clear();
        table.AddTo(y + ((nint)row * node.Y.Width), Batch.TextPositions[row]);
    }
}

/// <summary><see cref="JoinNode"/>.</summary>
internal sealed unsafe class JoinOperation(ProgramContext context, JoinNode node, float* a, float* b, float* y)
    : RowOperation(context, node.Y.Rows)
{
    protected override void RunRow(int row, int thread)
    {
        var target = new Span<float>(y + ((nint)row * node.Y.Width), node.Y.Width);
        new Span<float>(a + ((nint)row * node.A.Width), node.A.Width).CopyTo(target);
        new Span<float>(b + ((nint)row * node.B.Width), node.B.Width).CopyTo(target[node.A.Width..]);
    }
}

/// <summary>A table of positions in its stored type.</summary>
internal readonly unsafe struct PositionTable(Tensors.DataType type, byte* rows, int width)
{
    public void AddTo(float* x, int position)
    {
        var row = rows + ((nint)position * width * Tensors.DataTypes.Size(type));
        for (var i = 0; i < width; i++)
        {
            x[i] += type switch
            {
                Tensors.DataType.Float32 => ((float*)row)[i],
                Tensors.DataType.BFloat16 => Simd.SimdScalar.LoadBFloat16((ushort*)row + i),
                _ => Simd.SimdScalar.LoadFloat16((ushort*)row + i),
            };
        }
    }
}

/// <summary><see cref="ClampNode"/>.</summary>
internal sealed unsafe class ClampOperation(ProgramContext context, ClampNode node, float* x, float* y)
    : RowOperation(context, node.X.Rows)
{
    protected override void RunRow(int row, int thread)
    {
        var offset = (nint)row * node.X.Width;
        TensorPrimitives.Clamp(new ReadOnlySpan<float>(x + offset, node.X.Width), -node.Limit, node.Limit, new Span<float>(y + offset, node.X.Width));
    }
}

/// <summary><see cref="ScaleLogitsNode"/>.</summary>
internal sealed unsafe class ScaleLogitsOperation(ProgramContext context, ScaleLogitsNode node, float* rowScale, float* x)
    : RowOperation(context, Rows.Logits)
{
    protected override void RunRow(int row, int thread)
    {
        var logits = new Span<float>(x + ((nint)row * node.X.Width), node.X.Width);
        if (rowScale != null)
            TensorPrimitives.Multiply(logits, new ReadOnlySpan<float>(rowScale, node.X.Width), logits);
        if (node.Head.Scale is { } scale)
            TensorPrimitives.Multiply(logits, scale, logits);
        if (node.Head.SoftCap is not { } cap)
            return;
        TensorPrimitives.Divide(logits, cap, logits);
        TensorPrimitives.Tanh(logits, logits);
        TensorPrimitives.Multiply(logits, cap, logits);
    }
}
