namespace Weft.Convert.Checkpoints;

/// <summary>Element types found in checkpoints.</summary>
public enum StoredType
{
    /// <summary>IEEE 754 binary64.</summary>
    Float64,

    /// <summary>IEEE 754 binary32.</summary>
    Float32,

    /// <summary>IEEE 754 binary16.</summary>
    Float16,

    /// <summary>The upper half of a binary32.</summary>
    BFloat16,

    /// <summary>Eight bits: sign, four of exponent, three of mantissa; no infinities (E4M3; Micikevicius et al. 2022, arXiv 2209.05433).</summary>
    Float8,

    /// <summary>Signed 64-bit integer.</summary>
    Int64,

    /// <summary>Signed 32-bit integer.</summary>
    Int32,

    /// <summary>Signed 16-bit integer.</summary>
    Int16,

    /// <summary>Signed 8-bit integer.</summary>
    Int8,

    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8,

    /// <summary>One byte, zero or one.</summary>
    Boolean,
}

/// <summary>What the element types have in common.</summary>
public static class StoredTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this StoredType type) => type switch
    {
        StoredType.Float64 or StoredType.Int64 => 8,
        StoredType.Float32 or StoredType.Int32 => 4,
        StoredType.Float16 or StoredType.BFloat16 or StoredType.Int16 => 2,
        _ => 1,
    };

    /// <summary>Whether this is a floating-point type, as weights are.</summary>
    public static bool IsFloat(this StoredType type) => type <= StoredType.Float8;
}
