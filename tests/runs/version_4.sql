-- A store of schema 4, as the version that wrote it left it: two runs of one experiment, and one of another on a task
-- that no table has any more ('gone-task'). Their tensors are not here.
CREATE TABLE edits (
	id TEXT NOT NULL, 
	run TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	text TEXT NOT NULL, 
	changes JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
CREATE TABLE events (
	run TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (run, kind, step), 
	FOREIGN KEY(run) REFERENCES runs (id)
)
 WITHOUT ROWID

;
INSERT INTO "events" VALUES('gn470shri0','attention',0,X'ABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3E');
INSERT INTO "events" VALUES('gn470shri0','attention',10,X'401EC73E90430C3F806A813DA63F773EF86C8A3E37F3F93EA4F2003E5F80213FDA0B793E');
INSERT INTO "events" VALUES('gn470shri0','attention',20,X'527C8F3E155F053F008B4B3E0818373EB20C713ED3F6153F0000000076023B3F12FB893E');
INSERT INTO "events" VALUES('gn470shri0','attention',30,X'DE61823EC408033F34196F3ECED32F3E8080363EEC6A263F000000004007373F82F1913E');
INSERT INTO "events" VALUES('gn470shri0','dev_score',0,X'0000003F0000003F67B11D3F');
INSERT INTO "events" VALUES('gn470shri0','dev_score',30,X'0000003F0000403F747B1E3D');
INSERT INTO "events" VALUES('gn470shri0','gates',0,X'5018003F4F18003F4FE0FC3E6512003FE721F93E088F003F');
INSERT INTO "events" VALUES('gn470shri0','gates',10,X'758CE73EBE40123F4861083F04850C3F4450D53E7514EE3E');
INSERT INTO "events" VALUES('gn470shri0','gates',20,X'3F9EEE3E23A3153F867B0B3F44C7093F1DF6CF3E7C74E83E');
INSERT INTO "events" VALUES('gn470shri0','gates',30,X'F060EC3EF564133FDFD50C3F681D0B3F65B0D53E6968E53E');
INSERT INTO "events" VALUES('gn470shri0','loss',10,X'13F73840');
INSERT INTO "events" VALUES('gn470shri0','loss',20,X'69762E40');
INSERT INTO "events" VALUES('gn470shri0','loss',30,X'813A1B40');
INSERT INTO "events" VALUES('gn470shri0','task_loss',10,X'52B90B40B26ED43F467A9A40');
INSERT INTO "events" VALUES('gn470shri0','task_loss',20,X'754AF33FE2C8BF3FC8EC9840');
INSERT INTO "events" VALUES('gn470shri0','task_loss',30,X'7E96D33F5ED48E3F0A3D9040');
INSERT INTO "events" VALUES('oldgonerun','attention',0,X'ABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3EABAAAA3E');
INSERT INTO "events" VALUES('oldgonerun','attention',10,X'401EC73E90430C3F806A813DA63F773EF86C8A3E37F3F93EA4F2003E5F80213FDA0B793E');
INSERT INTO "events" VALUES('oldgonerun','attention',20,X'527C8F3E155F053F008B4B3E0818373EB20C713ED3F6153F0000000076023B3F12FB893E');
INSERT INTO "events" VALUES('oldgonerun','attention',30,X'DE61823EC408033F34196F3ECED32F3E8080363EEC6A263F000000004007373F82F1913E');
INSERT INTO "events" VALUES('oldgonerun','dev_score',0,X'0000003F0000003F67B11D3F');
INSERT INTO "events" VALUES('oldgonerun','dev_score',30,X'0000003F0000403F747B1E3D');
INSERT INTO "events" VALUES('oldgonerun','gates',0,X'5018003F4F18003F4FE0FC3E6512003FE721F93E088F003F');
INSERT INTO "events" VALUES('oldgonerun','gates',10,X'758CE73EBE40123F4861083F04850C3F4450D53E7514EE3E');
INSERT INTO "events" VALUES('oldgonerun','gates',20,X'3F9EEE3E23A3153F867B0B3F44C7093F1DF6CF3E7C74E83E');
INSERT INTO "events" VALUES('oldgonerun','gates',30,X'F060EC3EF564133FDFD50C3F681D0B3F65B0D53E6968E53E');
INSERT INTO "events" VALUES('oldgonerun','loss',10,X'13F73840');
INSERT INTO "events" VALUES('oldgonerun','loss',20,X'69762E40');
INSERT INTO "events" VALUES('oldgonerun','loss',30,X'813A1B40');
INSERT INTO "events" VALUES('oldgonerun','task_loss',10,X'52B90B40B26ED43F467A9A40');
INSERT INTO "events" VALUES('oldgonerun','task_loss',20,X'754AF33FE2C8BF3FC8EC9840');
INSERT INTO "events" VALUES('oldgonerun','task_loss',30,X'7E96D33F5ED48E3F0A3D9040');
INSERT INTO "events" VALUES('ooauaeryxx','dev_score',0,X'0000003F0000003F67B11D3F');
INSERT INTO "events" VALUES('ooauaeryxx','dev_score',30,X'0000003F0000603F77E694BD');
INSERT INTO "events" VALUES('ooauaeryxx','loss',10,X'32DF3040');
INSERT INTO "events" VALUES('ooauaeryxx','loss',20,X'76141B40');
INSERT INTO "events" VALUES('ooauaeryxx','loss',30,X'828B893F');
INSERT INTO "events" VALUES('ooauaeryxx','task_loss',10,X'24330C405E2CAD3F21EA9740');
INSERT INTO "events" VALUES('ooauaeryxx','task_loss',20,X'E53B104000A21D3F7ECC8C40');
INSERT INTO "events" VALUES('ooauaeryxx','task_loss',30,X'B4D9D03F902A5D3E8123B03F');
CREATE TABLE experiments (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	config JSON NOT NULL, 
	reference_rows JSON, 
	place FLOAT, 
	UNIQUE (id)
);
INSERT INTO "experiments" VALUES(1,'pzev2ag0ok','local',1.79591837250214505193e+09,'{"tasks": ["demo-mood", "demo-follows", "demo-stsb"], "backbone": "demo", "data_dir": null, "sources": 3, "prompt_length": 5, "scp_length": "total", "normalizer": "auto", "attention": "learned", "gates": "learned", "alpha": null, "beta": null, "form": "mean", "encoder": "residual", "encoder_hidden": 384, "init_range": 0.5, "position": "after_prefix", "prefix": "neutral", "max_tokens": 256, "shots_per": "task", "steps": 30, "epochs": 15.0, "batch": 12, "lr_source": null, "lr_private": null, "lr_encoder": 0.003, "lr_attention": 0.07, "lr_gate": 0.1, "lr_rule": "off", "warmup": 0.2, "weight_decay_prompt": 0.01, "weight_decay_weights": 0.1, "clip": 1.0, "dropout": 0.0, "select": "last", "scoring": "sum", "similarity": "argmax", "eval_rows": 60, "watch_rows": 8, "data_seed": null, "init_seed": null, "methods": ["pt", "spp"], "shots": [8], "seeds": [0], "method_settings": {"pt": {"lr_private": 0.04}}}','{"majority": {"demo-mood": {"accuracy": 0.5}, "demo-follows": {"accuracy": 0.55}, "demo-stsb": {"pearson": null, "spearman": null}}, "no_prompt": {"demo-mood": {"accuracy": 0.5}, "demo-follows": {"accuracy": 0.43333333333333335}, "demo-stsb": {"pearson": 0.10649448207967749, "spearman": 0.20729316944534096}}}',NULL);
INSERT INTO "experiments" VALUES(2,'oldgoneexp','local',1.79591837250214505193e+09,'{"tasks": ["demo-mood", "gone-task", "demo-stsb"], "backbone": "demo", "data_dir": null, "sources": 3, "prompt_length": 5, "scp_length": "total", "normalizer": "auto", "attention": "learned", "gates": "learned", "alpha": null, "beta": null, "form": "mean", "encoder": "residual", "encoder_hidden": 384, "init_range": 0.5, "position": "after_prefix", "prefix": "neutral", "max_tokens": 256, "shots_per": "task", "steps": 30, "epochs": 15.0, "batch": 12, "lr_source": null, "lr_private": null, "lr_encoder": 0.003, "lr_attention": 0.07, "lr_gate": 0.1, "lr_rule": "off", "warmup": 0.2, "weight_decay_prompt": 0.01, "weight_decay_weights": 0.1, "clip": 1.0, "dropout": 0.0, "select": "last", "scoring": "sum", "similarity": "argmax", "eval_rows": 60, "watch_rows": 8, "data_seed": null, "init_seed": null, "methods": ["spp"], "shots": [8], "seeds": [0], "method_settings": {}}','{"majority": {"demo-mood": {"accuracy": 0.5}, "gone-task": {"accuracy": 0.55}, "demo-stsb": {"pearson": null, "spearman": null}}, "no_prompt": {"demo-mood": {"accuracy": 0.5}, "gone-task": {"accuracy": 0.43333333333333335}, "demo-stsb": {"pearson": 0.10649448207967749, "spearman": 0.20729316944534096}}}',NULL);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','4');
CREATE TABLE runs (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	experiment TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	backbone TEXT NOT NULL, 
	method TEXT NOT NULL, 
	shots INTEGER NOT NULL, 
	seed INTEGER NOT NULL, 
	config JSON NOT NULL, 
	state TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	steps INTEGER, 
	created FLOAT NOT NULL, 
	started FLOAT, 
	finished FLOAT, 
	heartbeat FLOAT, 
	request TEXT, 
	error_type TEXT, 
	error_message TEXT, 
	traceback TEXT, 
	result JSON, 
	versions JSON, 
	fleet TEXT, 
	checkpoint INTEGER, 
	UNIQUE (id), 
	FOREIGN KEY(experiment) REFERENCES experiments (id)
);
INSERT INTO "runs" VALUES(1,'ooauaeryxx','pzev2ag0ok','local','demo','pt',8,0,'{"tasks": ["demo-mood", "demo-follows", "demo-stsb"], "backbone": "demo", "data_dir": null, "sources": 3, "prompt_length": 5, "scp_length": "total", "normalizer": "auto", "attention": "learned", "gates": "learned", "alpha": null, "beta": null, "form": "mean", "encoder": "residual", "encoder_hidden": 384, "init_range": 0.5, "position": "after_prefix", "prefix": "neutral", "max_tokens": 256, "shots_per": "task", "steps": 30, "epochs": 15.0, "batch": 12, "lr_source": null, "lr_private": 0.04, "lr_encoder": 0.003, "lr_attention": 0.07, "lr_gate": 0.1, "lr_rule": "off", "warmup": 0.2, "weight_decay_prompt": 0.01, "weight_decay_weights": 0.1, "clip": 1.0, "dropout": 0.0, "select": "last", "scoring": "sum", "similarity": "argmax", "eval_rows": 60, "watch_rows": 8, "data_seed": null, "init_seed": null, "method": "pt", "shots": 8, "seed": 0}','completed',30,30,1.79591837250214505193e+09,1.79591837252749776839e+09,1.79591838601360607148e+09,1.79591838531493878366e+09,NULL,NULL,NULL,NULL,'{"tasks": {"demo-mood": {"accuracy": 0.5166666666666667}, "demo-follows": {"accuracy": 0.8666666666666667}, "demo-stsb": {"pearson": 0.5521913030293658, "spearman": 0.5737066073872861}}, "mean": 0.6451748787875664, "mean_normalised": 0.42974278002213434, "constant": {"demo-mood": false, "demo-follows": false, "demo-stsb": false}, "unreadable": {"demo-mood": 0.0, "demo-follows": 0.0, "demo-stsb": 0.0}, "eval_rows": {"demo-mood": 60, "demo-follows": 60, "demo-stsb": 60}, "normalizer": null, "attention": null, "alpha": null, "beta": null, "private_share": null, "private_norm_share": null, "dead_sources": null, "train_seconds": 6.130682519999027, "eval_seconds": 0.4899191679996875, "pace": {"place": "cpu, 2 threads, 826e45ea06da1574", "work": {"steps": 30, "tokens": 91260.0, "numbers": 47878920, "scored": 73288}, "train_seconds": 6.130682519999027, "eval_seconds": 0.4899191679996875, "memory": 649131496}, "prompt_rms": {"initial": 0.2891586124897003, "final": 0.505062460899353}, "fixed_batch_loss": {"initial": 2.951785981655121, "final": 1.306917627652486}, "cut": {"demo-mood": {"train": 0, "dev": 0}, "demo-follows": {"train": 0, "dev": 0}, "demo-stsb": {"train": 0, "dev": 0}}, "skipped": {"demo-mood": {}, "demo-follows": {}, "demo-stsb": {}}, "overlap": {"demo-mood": {"train": 0}, "demo-follows": {"train": 0}, "demo-stsb": {"train": 0}}, "samples": {"demo-mood": {"opposite": 4, "alike": 4}, "demo-follows": {"false": 4, "true": 4}, "demo-stsb": {"0.2": 1, "2.4": 1, "3.2": 1, "3.6": 2, "4.0": 1, "4.8": 1, "5.0": 1}}, "data_notes": [], "trainable_parameters": 149760, "backbone": {"id": "demo", "hash": "826e45ea06da157447798e41f829301fb30ed91479567a6d32147f67bf7fafc8", "device": "cpu", "dtype": "float32"}}','{"compt": "0.1.0", "packages": {"torch": "2.13.0+cpu", "transformers": "5.23.0", "entmax": "1.3", "numpy": "2.4.6"}, "backbone": {"id": "demo", "hash": "826e45ea06da157447798e41f829301fb30ed91479567a6d32147f67bf7fafc8", "device": "cpu", "dtype": "float32"}, "data": {"demo-mood": "b3a0500a3ac89421577478ced407706e93f37107501f6baa4520d11952afbe94", "demo-follows": "3988be9627c1f948726ba95acd60e4c9e457d730df6195c171e30813e2de418c", "demo-stsb": "740fcc77f1ea0e79f83c46a17feae39b205441f14f77aff6690ef35c7c68bdea"}, "tasks": {"demo-mood": "e421ac039767fe0deb600042910a135d9766bad545c16ae23c1ac5653e2acaf7", "demo-follows": "4410d2e339b97a30d09dd5ee153bb425f1930ad3630a578fbfc2b3bf323ffee4", "demo-stsb": "e1ddf4e1cc6406cc74ade080d1a8846b7e2de91b652d7af53adb695f9d0c3892"}, "held_out": {}, "threads": 2}','9q9g3tv5jk',NULL);
INSERT INTO "runs" VALUES(5,'gn470shri0','pzev2ag0ok','local','demo','spp',8,0,'{"tasks": ["demo-mood", "demo-follows", "demo-stsb"], "backbone": "demo", "data_dir": null, "sources": 3, "prompt_length": 5, "scp_length": "total", "normalizer": "auto", "attention": "learned", "gates": "learned", "alpha": null, "beta": null, "form": "mean", "encoder": "residual", "encoder_hidden": 384, "init_range": 0.5, "position": "after_prefix", "prefix": "neutral", "max_tokens": 256, "shots_per": "task", "steps": 30, "epochs": 15.0, "batch": 12, "lr_source": null, "lr_private": null, "lr_encoder": 0.003, "lr_attention": 0.07, "lr_gate": 0.1, "lr_rule": "off", "warmup": 0.2, "weight_decay_prompt": 0.01, "weight_decay_weights": 0.1, "clip": 1.0, "dropout": 0.0, "select": "last", "scoring": "sum", "similarity": "argmax", "eval_rows": 60, "watch_rows": 8, "data_seed": null, "init_seed": null, "method": "spp", "shots": 8, "seed": 0}','completed',30,30,1.79591837250214505193e+09,1.79591837252749776839e+09,1.79591838609481358529e+09,1.79591838534489130979e+09,NULL,NULL,NULL,NULL,'{"tasks": {"demo-mood": {"accuracy": 0.5166666666666667}, "demo-follows": {"accuracy": 0.8333333333333334}, "demo-stsb": {"pearson": 0.024488300753623463, "spearman": -0.012957168497083494}}, "mean": 0.4581627669178745, "mean_normalised": 0.2291504212388622, "constant": {"demo-mood": false, "demo-follows": false, "demo-stsb": false}, "unreadable": {"demo-mood": 0.0, "demo-follows": 0.0, "demo-stsb": 0.0}, "eval_rows": {"demo-mood": 60, "demo-follows": 60, "demo-stsb": 60}, "normalizer": "sparsemax", "attention": [[0.2546529173851013, 0.511852502822876, 0.2334945797920227], [0.1717064082622528, 0.1782245635986328, 0.650068998336792], [0.0, 0.7149543762207031, 0.28504568338394165]], "alpha": [0.46167707443237305, 0.57575923204422, 0.5501384139060974], "beta": [0.5434174537658691, 0.41736140847206116, 0.4480622112751007], "private_share": [0.4593369662761688, 0.5797474980354309, 0.5511301159858704], "private_norm_share": [0.45005184412002563, 0.5595866441726685, 0.5354444980621338], "dead_sources": [], "train_seconds": 6.130682519999027, "eval_seconds": 0.4899191679996875, "pace": {"place": "cpu, 2 threads, 826e45ea06da1574", "work": {"steps": 30, "tokens": 91260.0, "numbers": 47878920, "scored": 73288}, "train_seconds": 6.130682519999027, "eval_seconds": 0.4899191679996875, "memory": 649131496}, "prompt_rms": {"initial": 0.16712303459644318, "final": 0.3550325930118561}, "fixed_batch_loss": {"initial": 2.9644800225893655, "final": 2.5202261408170066}, "cut": {"demo-mood": {"train": 0, "dev": 0}, "demo-follows": {"train": 0, "dev": 0}, "demo-stsb": {"train": 0, "dev": 0}}, "skipped": {"demo-mood": {}, "demo-follows": {}, "demo-stsb": {}}, "overlap": {"demo-mood": {"train": 0}, "demo-follows": {"train": 0}, "demo-stsb": {"train": 0}}, "samples": {"demo-mood": {"opposite": 4, "alike": 4}, "demo-follows": {"false": 4, "true": 4}, "demo-stsb": {"0.2": 1, "2.4": 1, "3.2": 1, "3.6": 2, "4.0": 1, "4.8": 1, "5.0": 1}}, "data_notes": [], "trainable_parameters": 299535, "backbone": {"id": "demo", "hash": "826e45ea06da157447798e41f829301fb30ed91479567a6d32147f67bf7fafc8", "device": "cpu", "dtype": "float32"}}','{"compt": "0.1.0", "packages": {"torch": "2.13.0+cpu", "transformers": "5.23.0", "entmax": "1.3", "numpy": "2.4.6"}, "backbone": {"id": "demo", "hash": "826e45ea06da157447798e41f829301fb30ed91479567a6d32147f67bf7fafc8", "device": "cpu", "dtype": "float32"}, "data": {"demo-mood": "b3a0500a3ac89421577478ced407706e93f37107501f6baa4520d11952afbe94", "demo-follows": "3988be9627c1f948726ba95acd60e4c9e457d730df6195c171e30813e2de418c", "demo-stsb": "740fcc77f1ea0e79f83c46a17feae39b205441f14f77aff6690ef35c7c68bdea"}, "tasks": {"demo-mood": "e421ac039767fe0deb600042910a135d9766bad545c16ae23c1ac5653e2acaf7", "demo-follows": "4410d2e339b97a30d09dd5ee153bb425f1930ad3630a578fbfc2b3bf323ffee4", "demo-stsb": "e1ddf4e1cc6406cc74ade080d1a8846b7e2de91b652d7af53adb695f9d0c3892"}, "held_out": {}, "threads": 2}','9q9g3tv5jk',NULL);
INSERT INTO "runs" VALUES(100,'oldgonerun','oldgoneexp','local','demo','spp',8,0,'{"tasks": ["demo-mood", "gone-task", "demo-stsb"], "backbone": "demo", "data_dir": null, "sources": 3, "prompt_length": 5, "scp_length": "total", "normalizer": "auto", "attention": "learned", "gates": "learned", "alpha": null, "beta": null, "form": "mean", "encoder": "residual", "encoder_hidden": 384, "init_range": 0.5, "position": "after_prefix", "prefix": "neutral", "max_tokens": 256, "shots_per": "task", "steps": 30, "epochs": 15.0, "batch": 12, "lr_source": null, "lr_private": null, "lr_encoder": 0.003, "lr_attention": 0.07, "lr_gate": 0.1, "lr_rule": "off", "warmup": 0.2, "weight_decay_prompt": 0.01, "weight_decay_weights": 0.1, "clip": 1.0, "dropout": 0.0, "select": "last", "scoring": "sum", "similarity": "argmax", "eval_rows": 60, "watch_rows": 8, "data_seed": null, "init_seed": null, "method": "spp", "shots": 8, "seed": 0}','completed',30,30,1.79591837250214505193e+09,1.79591837252749776839e+09,1.79591838609481358529e+09,1.79591838534489130979e+09,NULL,NULL,NULL,NULL,'{"tasks": {"demo-mood": {"accuracy": 0.5166666666666667}, "gone-task": {"accuracy": 0.8333333333333334}, "demo-stsb": {"pearson": 0.024488300753623463, "spearman": -0.012957168497083494}}, "mean": 0.4581627669178745, "mean_normalised": 0.2291504212388622, "constant": {"demo-mood": false, "gone-task": false, "demo-stsb": false}, "unreadable": {"demo-mood": 0.0, "gone-task": 0.0, "demo-stsb": 0.0}, "eval_rows": {"demo-mood": 60, "gone-task": 60, "demo-stsb": 60}, "normalizer": "sparsemax", "attention": [[0.2546529173851013, 0.511852502822876, 0.2334945797920227], [0.1717064082622528, 0.1782245635986328, 0.650068998336792], [0.0, 0.7149543762207031, 0.28504568338394165]], "alpha": [0.46167707443237305, 0.57575923204422, 0.5501384139060974], "beta": [0.5434174537658691, 0.41736140847206116, 0.4480622112751007], "private_share": [0.4593369662761688, 0.5797474980354309, 0.5511301159858704], "private_norm_share": [0.45005184412002563, 0.5595866441726685, 0.5354444980621338], "dead_sources": [], "train_seconds": 6.130682519999027, "eval_seconds": 0.4899191679996875, "pace": {"place": "cpu, 2 threads, 826e45ea06da1574", "work": {"steps": 30, "tokens": 91260.0, "numbers": 47878920, "scored": 73288}, "train_seconds": 6.130682519999027, "eval_seconds": 0.4899191679996875, "memory": 649131496}, "prompt_rms": {"initial": 0.16712303459644318, "final": 0.3550325930118561}, "fixed_batch_loss": {"initial": 2.9644800225893655, "final": 2.5202261408170066}, "cut": {"demo-mood": {"train": 0, "dev": 0}, "gone-task": {"train": 0, "dev": 0}, "demo-stsb": {"train": 0, "dev": 0}}, "skipped": {"demo-mood": {}, "gone-task": {}, "demo-stsb": {}}, "overlap": {"demo-mood": {"train": 0}, "gone-task": {"train": 0}, "demo-stsb": {"train": 0}}, "samples": {"demo-mood": {"opposite": 4, "alike": 4}, "gone-task": {"false": 4, "true": 4}, "demo-stsb": {"0.2": 1, "2.4": 1, "3.2": 1, "3.6": 2, "4.0": 1, "4.8": 1, "5.0": 1}}, "data_notes": [], "trainable_parameters": 299535, "backbone": {"id": "demo", "hash": "826e45ea06da157447798e41f829301fb30ed91479567a6d32147f67bf7fafc8", "device": "cpu", "dtype": "float32"}}','{"compt": "0.1.0", "packages": {"torch": "2.13.0+cpu", "transformers": "5.23.0", "entmax": "1.3", "numpy": "2.4.6"}, "backbone": {"id": "demo", "hash": "826e45ea06da157447798e41f829301fb30ed91479567a6d32147f67bf7fafc8", "device": "cpu", "dtype": "float32"}, "data": {"demo-mood": "b3a0500a3ac89421577478ced407706e93f37107501f6baa4520d11952afbe94", "gone-task": "3988be9627c1f948726ba95acd60e4c9e457d730df6195c171e30813e2de418c", "demo-stsb": "740fcc77f1ea0e79f83c46a17feae39b205441f14f77aff6690ef35c7c68bdea"}, "tasks": {"demo-mood": "e421ac039767fe0deb600042910a135d9766bad545c16ae23c1ac5653e2acaf7", "gone-task": "4410d2e339b97a30d09dd5ee153bb425f1930ad3630a578fbfc2b3bf323ffee4", "demo-stsb": "e1ddf4e1cc6406cc74ade080d1a8846b7e2de91b652d7af53adb695f9d0c3892"}, "held_out": {}, "threads": 2}','9q9g3tv5jk',NULL);
CREATE TABLE turns (
	owner TEXT NOT NULL, 
	turn INTEGER NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO "turns" VALUES('local',1);
CREATE INDEX runs_by_experiment ON runs (experiment, state);
CREATE INDEX runs_by_fleet ON runs (fleet);
CREATE INDEX runs_by_state ON runs (state, experiment);
CREATE INDEX ix_edits_run ON edits (run);
