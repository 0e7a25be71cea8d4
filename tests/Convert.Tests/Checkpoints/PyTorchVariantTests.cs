using System.Text;
using Weft.Convert.Checkpoints;
using Weft.Convert.Tests.Support;
using Weft.Reference;

namespace Weft.Convert.Tests.Checkpoints;

/// <summary>Archives and pickles that are unusual but valid, and those that are built to do harm.</summary>
[TestFixture]
public sealed class PyTorchVariantTests
{
    private ScratchFolder scratch = null!;
    private string path = "";

    [SetUp]
    public void MakeFolder()
    {
        scratch = new ScratchFolder();
        path = scratch["pytorch_model.bin"];
    }

    [TearDown]
    public void DeleteFolder() => scratch.Dispose();

    [Test]
    public void Padding_and_64_bit_fields_do_not_hide_a_tensor([Values] bool zip64)
    {
        var storage = Enumerable.Range(1, 16).Select(i => (byte)i).ToArray();
        WriteZip(Weights(("w", Weight())), storage, zip64);
        var tensor = PyTorchFile.Read(path).Single();
        Assert.Multiple(() =>
        {
            Assert.That(tensor.Offset % 64, Is.Zero, "the storage is aligned");
            Assert.That(File.ReadAllBytes(path).AsSpan((int)tensor.Offset, 16).ToArray(), Is.EqualTo(storage));
        });
    }

    [Test]
    public void A_truncated_64_bit_archive_is_refused_at_every_length()
    {
        WriteZip(Weights(("w", Weight())), new byte[16], zip64: true);
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains(path), $"{length} of {whole.Length} bytes");
        }
    }

    [Test]
    public void Encrypted_entries_are_refused()
    {
        WriteZip(Weights(("w", Weight())), new byte[16], flags: 1);
        AssertRefused("encrypted");
    }

    [Test]
    public void Protocol_4_is_read()
    {
        WriteZip(
        [
            0x80, 4, 0x95, .. new byte[8], .. "}"u8, 0x94, .. "("u8, .. Short("w"),
            .. Short("torch._utils"), .. Short("_rebuild_tensor_v2"), 0x93, .. "(("u8,
            .. Short("storage"), .. Short("torch"), .. Short("HalfStorage"), 0x93, .. Short("0"), .. Short("cpu"), .. "K\u0008tQ"u8,
            .. "K\u0002K\u0003"u8, 0x85, .. "K\u0001"u8, 0x85, 0x89, .. "NtRu."u8,
        ], new byte[16]);
        var tensor = PyTorchFile.Read(path).Single();
        Assert.That((tensor.Name, tensor.Type, tensor.Shape[0]), Is.EqualTo(("w", StoredType.Float16, 3L)));
    }

    [Test]
    public void One_tensor_may_have_two_names_a_parameter_around_it_and_metadata_beside_it()
    {
        byte[] parameter = [.. PyTorchArchive.Global("torch._utils", "_rebuild_parameter"), .. "(h\u0001"u8, 0x88, .. "NtR"u8];
        byte[] ordered =
        [
            .. PyTorchArchive.Global("collections", "OrderedDict"), .. ")R("u8, .. PyTorchArchive.Text("a"), .. Weight(), .. "q\u0001"u8,
            .. PyTorchArchive.Text("b"), .. parameter, .. "u"u8,
            .. PyTorchArchive.Dictionary(("_metadata", PyTorchArchive.Dictionary(("version", PyTorchArchive.Number(1))))), .. "b"u8,
        ];
        WriteZip([0x80, 2, .. ordered, .. "."u8], new byte[16]);
        var tensors = PyTorchFile.Read(path).ToList();
        Assert.That(tensors.Select(tensor => tensor.Name), Is.EqualTo(new[] { "a", "b" }));
        Assert.That(tensors[1].Offset, Is.EqualTo(tensors[0].Offset));
    }

    [Test]
    public void Code_among_the_arguments_of_a_tensor_is_refused_by_its_name()
    {
        byte[] evil = [.. PyTorchArchive.Global("posix", "system"), .. "("u8, .. PyTorchArchive.Text("echo hi"), .. "tR"u8];
        byte[] tensor = [.. PyTorchArchive.Global("torch._utils", "_rebuild_tensor_v2"), .. "("u8, .. evil, .. "tR"u8];
        WriteZip(Weights(("w", tensor)), new byte[16]);
        AssertRefused("'posix.system'");
    }

    [Test]
    public void A_name_with_control_characters_stays_one_short_sentence()
    {
        WriteZip([0x80, 4, .. PyTorchArchive.Text("o\u001b[2J\ns"), .. PyTorchArchive.Text(new string('x', 100_000)), 0x93, .. "."u8], []);
        var refusal = Assert.Throws<WeftException>(() => PyTorchFile.Read(path));
        Assert.Multiple(() =>
        {
            Assert.That(refusal!.Message, Does.Contain("'o?[2J?s.xxx"));
            Assert.That(refusal.Message.Any(char.IsControl), Is.False);
            Assert.That(refusal.Message, Has.Length.LessThan(path.Length + 300));
        });
    }

    [Test]
    public void More_dimensions_than_a_tensor_can_have_are_refused([Values(64, 65)] int dimensions)
    {
        var ones = Enumerable.Repeat(1, dimensions).ToArray();
        WriteZip(Weights(("w", PyTorchArchive.Tensor("FloatStorage", "0", 4, 0, ones, ones))), new byte[16]);
        if (dimensions == 64)
            Assert.That(PyTorchFile.Read(path).Single().Shape, Has.Count.EqualTo(64));
        else
            AssertRefused("dimensions");
    }

    [Test]
    public void A_pickle_too_long_for_names_and_shapes_is_refused_unread()
    {
        WriteZip(new byte[(16 << 20) + 1], []);
        AssertRefused("too long");
    }

    [Test]
    public void Several_state_dicts_side_by_side_are_refused_by_their_names()
    {
        WriteZip(Weights(("model", PyTorchArchive.Dictionary(("w", Weight()))), ("ema", PyTorchArchive.Dictionary(("w", Weight())))), new byte[16]);
        AssertRefused("'model', 'ema'");
    }

    [Test]
    public void The_single_file_golden_has_the_shapes_of_its_config()
    {
        if (SharedData.TryFind("goldens/deepseek-coder") is not { } folder)
        {
            Assert.Ignore("the reference checkpoints are not beside the repository");
            return;
        }

        var tensors = Checkpoint.Open(folder).Tensors;
        Assert.Multiple(() =>
        {
            Assert.That(tensors, Has.Count.EqualTo(21));
            Assert.That(tensors.Values.Select(tensor => tensor.Type), Has.All.EqualTo(StoredType.BFloat16));
            Assert.That(tensors.Values.Select(tensor => tensor.IsContiguous), Has.All.True);
            Assert.That(tensors["model.embed_tokens.weight"].Shape, Is.EqualTo(new long[] { 320, 128 }));
            Assert.That(tensors["lm_head.weight"].Shape, Is.EqualTo(new long[] { 320, 128 }));
            Assert.That(tensors["model.layers.1.mlp.down_proj.weight"].Shape, Is.EqualTo(new long[] { 128, 224 }));
            Assert.That(tensors["model.norm.weight"].Shape, Is.EqualTo(new long[] { 128 }));
        });
    }

    private static byte[] Weight() => PyTorchArchive.Tensor("FloatStorage", "0", 4, 0, [2, 2], [2, 1]);

    private static byte[] Weights(params (string Key, byte[] Value)[] items) => [0x80, 2, .. PyTorchArchive.Dictionary(items), .. "."u8];

    /// <summary>A text of protocol 4, remembered as Python remembers every one.</summary>
    private static byte[] Short(string text) => [0x8C, (byte)text.Length, .. Encoding.UTF8.GetBytes(text), 0x94];

    private void WriteZip(byte[] pickle, byte[] storage, bool zip64 = false, ushort flags = 0) =>
        File.WriteAllBytes(path, StoredZip.Write([("model/data.pkl", pickle), ("model/byteorder", "little"u8.ToArray()), ("model/data/0", storage)], zip64, flags));

    private void AssertRefused(string what) =>
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains(what).And.Message.Contains(path));
}
