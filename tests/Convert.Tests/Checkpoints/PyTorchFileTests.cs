using System.IO.Compression;
using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Weft.Convert.Checkpoints;
using Weft.Reference;

namespace Weft.Convert.Tests.Checkpoints;

[TestFixture]
public sealed class PyTorchFileTests
{
    private string folder = "";
    private string path = "";

    [SetUp]
    public void MakeFolder()
    {
        folder = Directory.CreateTempSubdirectory("weft-tests-").FullName;
        path = Path.Combine(folder, "pytorch_model.bin");
    }

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void Tensors_are_found_where_their_bytes_are()
    {
        float[] numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        new PyTorchArchive()
            .Storage("0", MemoryMarshal.AsBytes<float>(numbers).ToArray())
            .Storage("1", [0x80, 0x3F, 0x00, 0x40])
            .Value(PyTorchArchive.Dictionary(
                ("plain", PyTorchArchive.Tensor("FloatStorage", "0", 12, 0, [3, 4], [4, 1])),
                ("transposed", PyTorchArchive.Tensor("FloatStorage", "0", 12, 0, [4, 3], [1, 4])),
                ("part", PyTorchArchive.Tensor("FloatStorage", "0", 12, 5, [2], [3])),
                ("half", PyTorchArchive.Tensor("BFloat16Storage", "1", 2, 0, [2], [1])),
                ("scalar", PyTorchArchive.Tensor("FloatStorage", "0", 12, 7, [], [])),
                ("epoch", PyTorchArchive.Number(3))))
            .Write(path);
        var tensors = PyTorchFile.Read(path).ToDictionary(tensor => tensor.Name);
        var bytes = File.ReadAllBytes(path);
        float At(string name, params int[] index)
        {
            var tensor = tensors[name];
            var element = index.Zip(tensor.Strides, (i, stride) => i * stride).Sum();
            return BitConverter.ToSingle(bytes, (int)(tensor.Offset + (element * 4)));
        }

        Assert.Multiple(() =>
        {
            Assert.That(tensors.Keys, Is.EquivalentTo(new[] { "plain", "transposed", "part", "half", "scalar" }));
            Assert.That(At("plain", 1, 2), Is.EqualTo(7));
            Assert.That(At("transposed", 2, 1), Is.EqualTo(7));
            Assert.That(At("part", 1), Is.EqualTo(9));
            Assert.That(At("scalar"), Is.EqualTo(8));
            Assert.That(tensors["plain"].IsContiguous, Is.True);
            Assert.That(tensors["transposed"].IsContiguous, Is.False);
            Assert.That(tensors["half"].Type, Is.EqualTo(StoredType.BFloat16));
            Assert.That(bytes.AsSpan((int)tensors["half"].Offset, 4).ToArray(), Is.EqualTo(new byte[] { 0x80, 0x3F, 0x00, 0x40 }));
        });
    }

    [Test]
    public void A_state_dict_inside_a_dictionary_is_found()
    {
        new PyTorchArchive().Storage("0", new byte[16])
            .Value(PyTorchArchive.Dictionary(
                ("step", PyTorchArchive.Number(100)),
                ("state_dict", PyTorchArchive.Dictionary(("w", PyTorchArchive.Tensor("FloatStorage", "0", 4, 0, [4], [1]))))))
            .Write(path);
        Assert.That(PyTorchFile.Read(path).Single().Name, Is.EqualTo("w"));
    }

    [TestCase("posix", "system")]
    [TestCase("os", "system")]
    [TestCase("builtins", "eval")]
    [TestCase("__builtin__", "__import__")]
    [TestCase("torch", "load")]
    [TestCase("torch._utils", "_rebuild_sparse_tensor")]
    [TestCase("collections", "defaultdict")]
    public void Code_is_refused_by_its_name(string module, string name)
    {
        var evil = new[] { PyTorchArchive.Global(module, name), "("u8.ToArray(), PyTorchArchive.Text("echo hi"), "tR"u8.ToArray() }.SelectMany(b => b).ToArray();
        new PyTorchArchive().Value(PyTorchArchive.Dictionary(("w", evil))).Write(path);
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>()
            .With.Message.Contains(path).And.Message.Contains($"{module}.{name}").And.Message.Contains("refused"));
    }

    [Test]
    public void Tensors_beyond_their_storage_are_refused(
        [Values(-1, 0, 3, int.MaxValue)] int offset, [Values(5, int.MaxValue)] int length, [Values(1, int.MaxValue)] int stride)
    {
        new PyTorchArchive().Storage("0", new byte[16])
            .Value(PyTorchArchive.Dictionary(("w", PyTorchArchive.Tensor("FloatStorage", "0", 4, offset, [length, length], [stride, stride]))))
            .Write(path);
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains(path));
    }

    [Test]
    public void What_is_no_such_archive_is_said()
    {
        File.WriteAllBytes(path, [0x80, 2, 0x8A, 0x0A]);
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains("before version 1.6"));
        File.WriteAllText(path, "hello, world");
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains("not a PyTorch checkpoint"));
        File.WriteAllBytes(path, []);
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains(path));
        Small().Write(path, byteOrder: "big");
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains("big-endian"));
        new PyTorchArchive().Storage("0", new byte[4096]).Value(PyTorchArchive.Dictionary()).Write(path, CompressionLevel.Optimal);
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains("compressed"));
        using (var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create))
            zip.CreateEntry("readme.txt");
        Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>().With.Message.Contains("data.pkl"));
    }

    [Test]
    public void Truncated_files_are_refused_at_every_length()
    {
        Small().Write(path);
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.That(() => PyTorchFile.Read(path), Throws.TypeOf<WeftException>(), $"{length} of {whole.Length} bytes");
        }
    }

    [Test]
    public void Changed_bytes_give_a_result_or_a_sentence()
    {
        Small().Write(path);
        var whole = File.ReadAllBytes(path);
        var changes = Gen.Choose(0, whole.Length - 1).Zip(Gen.Choose(0, 255)).ArrayOf(3);
        Prop.ForAll(changes.ToArbitrary(), (Action<(int At, int Value)[]>)(edits =>
        {
            var bytes = whole.ToArray();
            foreach (var (at, value) in edits)
                bytes[at] = (byte)value;
            File.WriteAllBytes(path, bytes);
            try
            {
                foreach (var tensor in PyTorchFile.Read(path))
                    Assert.That(tensor.Offset + tensor.ByteLength, Is.LessThanOrEqualTo(bytes.Length));
            }
            catch (WeftException exception)
            {
                Assert.That(exception.Message, Does.Contain(path));
            }
        })).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
    }

    [Test]
    public void Every_opcode_sequence_ends()
    {
        var opcodes = Gen.Elements("(0N\u0088\u0089KMJ\u008AGX)\u0085\u0086\u0087tl]ae}suq\u0094hjc\u0093R\u0081bQ.".Select(c => (byte)c).ToArray()).ArrayOf();
        Prop.ForAll(opcodes.ToArbitrary(), (Action<byte[]>)(bytes =>
        {
            new PyTorchArchive().Value(bytes).Write(path);
            try
            {
                Assert.That(PyTorchFile.Read(path), Is.Empty, "there is no storage that a tensor could lie in");
            }
            catch (WeftException exception)
            {
                Assert.That(exception.Message, Does.Contain(path));
            }
        })).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Test]
    public void Real_checkpoints_have_the_tensors_of_their_index()
    {
        if (SharedData.TryFind("goldens/bloom/pytorch_model.bin.index.json") is not { } index)
        {
            Assert.Ignore("the reference checkpoints are not beside the repository");
            return;
        }

        var bloom = Checkpoint.Open(Path.GetDirectoryName(index)!);
        using var document = JsonFile.Parse(index);
        Assert.That(bloom.Tensors.Keys, Is.EquivalentTo(document.RootElement.GetProperty("weight_map").EnumerateObject().Select(entry => entry.Name)));
        Assert.That(bloom.Tensors.Values.Select(tensor => tensor.Type), Has.All.EqualTo(StoredType.BFloat16));
    }

    private static PyTorchArchive Small() => new PyTorchArchive().Storage("0", new byte[16])
        .Value(PyTorchArchive.Dictionary(("w", PyTorchArchive.Tensor("FloatStorage", "0", 4, 0, [2, 2], [2, 1]))));
}
