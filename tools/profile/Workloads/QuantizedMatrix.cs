using Weft.Backends.Cuda.Kernels;
using Weft.Weights;

namespace Weft.Profile.Workloads;

/// <summary>A matrix of 4-bit codes in the file's layout.</summary>
internal readonly record struct QuantizedMatrix(int Rows, int Columns)
{
    public int RowBlocks => (Rows + QuantizedLayout.TileRows - 1) / QuantizedLayout.TileRows;

    public int Tiles => Columns / 64;

    public long Bytes => CodeBytes + ScaleBytes;

    private long CodeBytes => (long)RowBlocks * Tiles * QuantizedLayout.TileBytes;

    private long ScaleBytes => (long)RowBlocks * (Columns / WorkloadCatalog.GroupSize) * QuantizedLayout.TileRows * sizeof(ushort);

    public QuantizedWeight Weight(Operands operands, int turn) => new()
    {
        Codes = operands.Random(CodeBytes, turn),
        Scales = operands.Random(ScaleBytes, turn),
        Tiles = Tiles,
        Groups = Columns / WorkloadCatalog.GroupSize,
        GroupSize = WorkloadCatalog.GroupSize,
    };
}
